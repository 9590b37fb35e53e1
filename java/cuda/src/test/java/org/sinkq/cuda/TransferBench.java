package org.sinkq.cuda;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.Arrays;
import java.util.Locale;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.BackendConfig;
import org.sinkq.DType;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.TensorView;

/** Times saving a sequence of 32 layers to host memory, and restoring it. */
final class TransferBench implements AutoCloseable {
  private static final int LAYERS = 32;
  private static final int HEADS = 8;
  private static final int DIM = 128;
  private static final int TOKENS = 32_768;
  private static final int CHUNK = 4096;
  private static final int ROUNDS = 7;

  private final AttentionBackend backend;
  private final CudaDevice device;
  private final long rows;
  private final Arena arena = Arena.ofShared();
  private final Memory memory = new Memory(arena.allocate(1L << 30));

  private TransferBench() {
    KvCacheSpec spec = KvCacheSpec.builder().capacityTokens(TOKENS).maxSequences(2).build();
    ModelShape shape = ModelShape.of(LAYERS, 4 * HEADS, HEADS, DIM);
    backend = AttentionBackends.open(BackendConfig.of(shape, spec).withEngine("cuda"));
    device = backend.engineAs(CudaHost.class).orElseThrow().device();
    long bytes = (long) CHUNK * HEADS * DIM * Short.BYTES;
    rows = device.allocate(bytes);
    CudaDevice.Stream stream = device.createStream();
    device.fill(rows, (byte) 0x30, bytes, stream);
    device.synchronize(stream);
    device.destroy(stream);
  }

  /** Prints medians, for pages that are neighbours and for pages that are not. */
  public static void main(String[] args) throws IOException {
    try (TransferBench bench = new TransferBench()) {
      KvSequence first = bench.filled();
      bench.measure("neighbouring pages", first);
      first.close();
      // The pool gives out last what came back first, so these pages are in descending order.
      KvSequence second = bench.filled();
      bench.measure("scattered pages", second);
      second.close();
    }
  }

  private KvSequence filled() {
    KvSequence sequence = backend.newSequence();
    TensorView kv = TensorView.ofDevice(rows, DType.F16, CHUNK, HEADS, DIM);
    while (sequence.length() < TOKENS) {
      try (AttentionPlan plan = backend.plan(AttentionMetadata.single(sequence, CHUNK))) {
        for (int layer = 0; layer < LAYERS; layer++) {
          plan.append(layer, kv, kv);
        }
        plan.commit();
      }
    }
    return sequence;
  }

  private void measure(String name, KvSequence sequence) throws IOException {
    double[] save = new double[ROUNDS];
    double[] restore = new double[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
      memory.position = 0;
      long start = System.nanoTime();
      sequence.save(memory);
      long saved = System.nanoTime();
      memory.position = 0;
      KvSequence copy = backend.restore(memory);
      restore[i] = (System.nanoTime() - saved) * 1e-6;
      save[i] = (saved - start) * 1e-6;
      copy.close();
    }
    Arrays.sort(save);
    Arrays.sort(restore);
    double megabytes = memory.position * 1e-6;
    System.out.printf(
        Locale.ROOT,
        "%s, %d tokens, %.1f MB: save %.1f ms (%.1f GB/s), restore %.1f ms (%.1f GB/s)%n",
        name,
        TOKENS,
        megabytes,
        save[ROUNDS / 2],
        megabytes / save[ROUNDS / 2],
        restore[ROUNDS / 2],
        megabytes / restore[ROUNDS / 2]);
  }

  @Override
  public void close() {
    device.free(rows);
    backend.close();
    arena.close();
  }

  /** Host memory as a channel. */
  private static final class Memory implements WritableByteChannel, ReadableByteChannel {
    private final MemorySegment bytes;
    private long position;

    Memory(MemorySegment bytes) {
      this.bytes = bytes;
    }

    @Override
    public int write(ByteBuffer from) {
      int count = from.remaining();
      MemorySegment.copy(MemorySegment.ofBuffer(from), 0, bytes, position, count);
      from.position(from.limit());
      position += count;
      return count;
    }

    @Override
    public int read(ByteBuffer to) {
      int count = to.remaining();
      MemorySegment.copy(bytes, position, MemorySegment.ofBuffer(to), 0, count);
      to.position(to.limit());
      position += count;
      return count;
    }

    @Override
    public boolean isOpen() {
      return true;
    }

    @Override
    public void close() {
      // Nothing is held.
    }
  }
}
