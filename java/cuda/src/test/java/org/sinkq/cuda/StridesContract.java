package org.sinkq.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.BackendConfig;
import org.sinkq.DType;
import org.sinkq.EngineAccess;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.TensorView;
import org.sinkq.engine.Engine;
import org.sinkq.engine.PageImage;

/**
 * Device tensors whose heads and tokens lie apart give the same bits as contiguous ones, whatever
 * they are aligned to, and nothing between them is written.
 */
abstract class StridesContract {
  private static final int HEADS = 2;
  private static final int GROUP = 2;
  private static final int MOST_ROWS = 90;
  private static final byte UNTOUCHED = 0x55;

  private CudaDevice device;
  private CudaDevice.Stream stream;

  /** A new device. */
  abstract CudaDevice openDevice();

  @BeforeEach
  void open() {
    device = openDevice();
    stream = device.createStream();
  }

  @AfterEach
  void close() {
    device.destroy(stream);
    device.close();
  }

  /**
   * A tensor with so many elements in front of it and between two heads, and more between tokens.
   */
  private final class Apart implements AutoCloseable {
    private final DType type;
    private final int heads;
    private final int dim;
    private final int apart;
    private final MemorySegment host;
    private final long memory;

    Apart(DType type, int heads, int dim, int apart) {
      this.type = type;
      this.heads = heads;
      this.dim = dim;
      this.apart = apart;
      long bytes = (apart + MOST_ROWS * tokenStride()) * type.byteSize();
      host = device.allocatePinned(bytes);
      memory = device.allocate(bytes);
    }

    private long headStride() {
      return (long) dim + apart;
    }

    private long tokenStride() {
      return heads * headStride() + 2L * apart;
    }

    private long byteOffset(int row, int head, int channel) {
      return (apart + row * tokenStride() + head * headStride() + channel) * type.byteSize();
    }

    TensorView view(int rows) {
      long at = memory + (long) apart * type.byteSize();
      return new TensorView(null, at, type, rows, heads, dim, tokenStride(), headStride());
    }

    void upload(Random random, int rows) {
      host.fill(UNTOUCHED);
      for (int i = 0; i < rows * heads * dim; i++) {
        float x = (float) random.nextGaussian();
        long at = byteOffset(i / dim / heads, i / dim % heads, i % dim);
        switch (type) {
          case F32 -> host.set(ValueLayout.JAVA_FLOAT, at, x);
          case F16 -> host.set(ValueLayout.JAVA_SHORT, at, Float.floatToFloat16(x));
          case BF16 ->
              host.set(
                  ValueLayout.JAVA_SHORT, at, (short) (Float.floatToRawIntBits(x) >>> Short.SIZE));
        }
      }
      device.copyToDevice(memory, host, stream);
      device.synchronize(stream);
    }

    /** Elements of the first rows, byte by byte; all others have to be as they were. */
    byte[] download(int rows) {
      device.copyToHost(host, memory, stream);
      device.synchronize(stream);
      byte[] elements = new byte[rows * heads * dim * type.byteSize()];
      for (int i = 0; i < elements.length; i++) {
        int element = i / type.byteSize();
        long at = byteOffset(element / dim / heads, element / dim % heads, element % dim);
        elements[i] = host.get(ValueLayout.JAVA_BYTE, at + i % type.byteSize());
        host.set(ValueLayout.JAVA_BYTE, at + i % type.byteSize(), UNTOUCHED);
      }
      for (long at = 0; at < host.byteSize(); at++) {
        assertEquals(UNTOUCHED, host.get(ValueLayout.JAVA_BYTE, at), "byte " + at + " is written");
      }
      return elements;
    }

    @Override
    public void close() {
      device.freePinned(host);
      device.free(memory);
    }
  }

  /** A prompt, rows that are appended one by one, and decode steps. */
  @ParameterizedTest
  @CsvSource({
    "F32, 64, 3",
    "F32, 64, 2",
    "F16, 64, 3",
    "F16, 64, 2",
    "BF16, 64, 3",
    "BF16, 64, 2",
    "F32, 80, 3",
    "F16, 80, 3"
  })
  void bitsDoNotDependOnStrides(DType type, int dim, int apart) {
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .pageTokens(32)
            .windowTokens(4)
            .firstSinkLayer(0)
            .capacityTokens(256)
            .maxSequences(2)
            .build();
    BackendConfig config = BackendConfig.of(ModelShape.of(1, GROUP * HEADS, HEADS, dim), spec);
    try (AttentionBackend backend =
        EngineAccess.open(config, new CudaEngineProvider(new OneDevice(() -> device)))) {
      KvSequence together = backend.newSequence();
      KvSequence spread = backend.newSequence();
      int[] steps = {MOST_ROWS, 1, 3, 1, 12};
      for (int i = 0; i < steps.length; i++) {
        byte[] expected = step(backend, together, type, dim, 0, steps[i], i);
        byte[] actual = step(backend, spread, type, dim, apart, steps[i], i);
        assertArrayEquals(expected, actual, "step " + i + " of " + steps[i] + " rows");
      }
      comparePages(EngineAccess.engine(backend), together, spread);
    }
  }

  private byte[] step(
      AttentionBackend backend,
      KvSequence sequence,
      DType type,
      int dim,
      int apart,
      int rows,
      int seed) {
    Random random = new Random(seed);
    try (Apart q = new Apart(type, GROUP * HEADS, dim, apart);
        Apart k = new Apart(type, HEADS, dim, apart);
        Apart v = new Apart(type, HEADS, dim, apart);
        Apart out = new Apart(type, GROUP * HEADS, dim, apart)) {
      q.upload(random, rows);
      k.upload(random, rows);
      v.upload(random, rows);
      out.upload(random, 0);
      try (AttentionPlan plan = backend.plan(AttentionMetadata.single(sequence, rows))) {
        plan.run(0, q.view(rows), k.view(rows), v.view(rows), out.view(rows));
        plan.commit();
      }
      return out.download(rows);
    }
  }

  private static void comparePages(Engine engine, KvSequence left, KvSequence right) {
    int pages = EngineAccess.state(left).pageCount();
    assertEquals(3, pages);
    for (int p = 0; p < pages; p++) {
      for (int head = 0; head < HEADS; head++) {
        PageImage a = engine.readPage(0, head, EngineAccess.state(left).page(p));
        PageImage b = engine.readPage(0, head, EngineAccess.state(right).page(p));
        assertArrayEquals(a.keyCodes(), b.keyCodes());
        assertArrayEquals(a.valueCodes(), b.valueCodes());
        assertArrayEquals(a.keys(), b.keys());
        assertArrayEquals(a.values(), b.values());
      }
    }
  }
}
