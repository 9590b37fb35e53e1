package org.sinkq.cli.throughput;

import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.IntConsumer;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.DType;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.TensorView;
import org.sinkq.cuda.CudaDevice;
import org.sinkq.cuda.CudaHost;

/**
 * Fills caches with rows that look like those of a model, as if another process had computed them.
 *
 * <p>Keys have a few channels of large, nearly constant magnitude; one token in {@value
 * #SINK_EVERY} has a small key, also in those channels, so that there are sinks to be found. The
 * rows come from one pool on the device. Every layer of every sequence begins at another row of it,
 * so no two of them hold the same text, and each of them is written to memory of its own.
 */
final class CacheFill implements AutoCloseable {
  private static final long SEED = 14060;

  /** Rows that a step takes at most, of several sequences. */
  private static final int STEP_ROWS = 16 << 10;

  /** Rows of the pool beyond those of a step: where a step can begin. */
  private static final int BEGINNINGS = 8 << 10;

  private static final int SINK_EVERY = 500;
  private static final float SINK_SCALE = 0.05f;

  /** One channel in so many is an outlier. */
  private static final int OUTLIER_EVERY = 32;

  private static final float OUTLIER = 8;

  private final CudaDevice device;
  private final ModelShape shape;
  private final int stepRows;
  private final int beginnings;
  private final long keys;
  private final long values;
  private final SplittableRandom random = new SplittableRandom(SEED);

  /** Normally distributed numbers in fp16, to draw from. */
  private final short[] normal = new short[1 << Short.SIZE];

  /**
   * Makes the pool.
   *
   * @param longest tokens of the longest sequence: there is no need for longer steps
   */
  CacheFill(CudaHost host, ModelShape shape, int longest) {
    device = host.device();
    this.shape = shape;
    stepRows = Math.min(STEP_ROWS, longest);
    for (int i = 0; i < normal.length; i++) {
      normal[i] = Float.floatToFloat16((float) random.nextGaussian());
    }
    beginnings = Math.min(BEGINNINGS, longest);
    int rows = stepRows + beginnings;
    long bytes = rows * rowBytes();
    MemorySegment up = device.allocatePinned(bytes);
    try {
      keys = device.allocate(bytes);
      values = device.allocate(bytes);
      for (boolean areKeys : new boolean[] {true, false}) {
        write(up, rows, areKeys);
        device.copyToDevice(areKeys ? keys : values, up, host.stream());
        device.synchronize(host.stream());
      }
    } finally {
      device.freePinned(up);
    }
  }

  private long rowBytes() {
    return (long) shape.numKvHeads() * shape.headDim() * Short.BYTES;
  }

  private void write(MemorySegment to, int rows, boolean areKeys) {
    int dim = shape.headDim();
    int rowElements = shape.numKvHeads() * dim;
    for (int row = 0; row < rows; row++) {
      boolean sink = row % SINK_EVERY == 0;
      long four = 0;
      for (int i = 0; i < rowElements; i++) {
        four = i % 4 == 0 ? random.nextLong() : four >>> Short.SIZE;
        short half = normal[(int) four & 0xFFFF];
        boolean outlier = areKeys && (i + i / dim) % OUTLIER_EVERY == 0;
        if (sink || outlier) {
          float x = Float.float16ToFloat(half) + (outlier ? OUTLIER : 0);
          half = Float.floatToFloat16(sink ? SINK_SCALE * x : x);
        }
        to.setAtIndex(JAVA_SHORT, (long) row * rowElements + i, half);
      }
    }
  }

  /**
   * Adds tokens to empty sequences, several of them in a step.
   *
   * @param lengths tokens that each sequence gets
   * @param progress told how many tokens there are
   */
  void fill(
      AttentionBackend backend, List<KvSequence> sequences, int[] lengths, IntConsumer progress) {
    int done = 0;
    int first = 0;
    int offset = 0;
    while (first < sequences.size()) {
      List<KvSequence> members = new ArrayList<>();
      List<Integer> indptr = new ArrayList<>(List.of(0));
      int rows = 0;
      while (first < sequences.size() && rows < stepRows) {
        int take = Math.min(lengths[first] - offset, stepRows - rows);
        members.add(sequences.get(first));
        rows += take;
        indptr.add(rows);
        offset += take;
        if (offset == lengths[first]) {
          first++;
          offset = 0;
        }
      }
      step(
          backend,
          new AttentionMetadata(members, indptr.stream().mapToInt(i -> i).toArray()),
          rows);
      done += rows;
      progress.accept(done);
    }
  }

  private void step(AttentionBackend backend, AttentionMetadata metadata, int rows) {
    try (AttentionPlan plan = backend.plan(metadata)) {
      for (int layer = 0; layer < shape.numLayers(); layer++) {
        plan.append(layer, rows(keys, rows), rows(values, rows));
      }
      plan.commit();
    }
  }

  /** So many rows of the pool, from a random one on. */
  private TensorView rows(long pool, int rows) {
    long at = pool + random.nextInt(beginnings) * rowBytes();
    return TensorView.ofDevice(at, DType.F16, rows, shape.numKvHeads(), shape.headDim());
  }

  @Override
  public void close() {
    device.free(keys);
    device.free(values);
  }
}
