package org.sinkq.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import java.util.stream.DoubleStream;
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
import org.sinkq.reference.Tensors;

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
    private final MemorySegment all;
    private final long memory;
    private final long front;
    private final TensorView host;

    Apart(DType type, int heads, int dim, int apart) {
      long headStride = (long) dim + apart;
      long tokenStride = heads * headStride + 2L * apart;
      front = (long) apart * type.byteSize();
      all = device.allocatePinned(front + MOST_ROWS * tokenStride * type.byteSize());
      memory = device.allocate(all.byteSize());
      host =
          new TensorView(
              all.asSlice(front), 0, type, MOST_ROWS, heads, dim, tokenStride, headStride);
    }

    TensorView view(int rows) {
      return new TensorView(
          null,
          memory + front,
          host.dtype(),
          rows,
          host.heads(),
          host.headDim(),
          host.tokenStride(),
          host.headStride());
    }

    void upload(Random random, int rows) {
      all.fill(UNTOUCHED);
      for (int row = 0; row < rows; row++) {
        for (int head = 0; head < host.heads(); head++) {
          double[] x = DoubleStream.generate(random::nextGaussian).limit(host.headDim()).toArray();
          Tensors.write(host, row, head, x);
        }
      }
      device.copyToDevice(memory, all, stream);
      device.synchronize(stream);
    }

    /** Elements of the first rows, byte by byte; all others have to be as they were. */
    byte[] download(int rows) {
      device.copyToHost(all, memory, stream);
      device.synchronize(stream);
      int bytes = host.headDim() * host.dtype().byteSize();
      byte[] elements = new byte[rows * host.heads() * bytes];
      for (int row = 0; row < rows; row++) {
        for (int head = 0; head < host.heads(); head++) {
          MemorySegment one = host.segment().asSlice(host.byteOffset(row, head), bytes);
          int to = (row * host.heads() + head) * bytes;
          MemorySegment.copy(one, 0, MemorySegment.ofArray(elements), to, bytes);
          one.fill(UNTOUCHED);
        }
      }
      for (long at = 0; at < all.byteSize(); at++) {
        assertEquals(UNTOUCHED, all.get(ValueLayout.JAVA_BYTE, at), "byte " + at + " is written");
      }
      return elements;
    }

    @Override
    public void close() {
      device.freePinned(all);
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
      assertEquals(3, EngineAccess.state(together).pageCount());
      SamePages.check(EngineAccess.engine(backend), 1, HEADS, together, spread);
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
}
