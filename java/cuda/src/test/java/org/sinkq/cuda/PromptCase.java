package org.sinkq.cuda;

import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.function.IntConsumer;
import org.sinkq.DType;
import org.sinkq.KvCacheSpec;
import org.sinkq.ModelShape;
import org.sinkq.SinkPolicy;
import org.sinkq.TensorView;
import org.sinkq.cache.PageMasks;
import org.sinkq.cache.SequenceState;
import org.sinkq.cache.SequenceStep;
import org.sinkq.cache.SinkJournal;
import org.sinkq.cache.SinkTable;
import org.sinkq.cache.StepPlan;
import org.sinkq.engine.CacheMemory;
import org.sinkq.layout.CacheGeometry;

/**
 * A prompt of the benchmark, the kernels of one layer by events: random normal rows in fp16, in one
 * call after tokens that are in pages already.
 */
final class PromptCase implements AutoCloseable {
  private static final int PAGE = 128;
  private static final int REPEATS = 7;

  private final CudaDevice device;
  private final CudaEngine engine;
  private final CacheGeometry geometry;
  private final SequenceState state;
  private final long memory;
  private final TensorView q;
  private final TensorView k;
  private final TensorView v;
  private final TensorView out;
  private final CudaStep step;

  /** Milliseconds of the parts of one layer. */
  record Times(double append, double attend, double flush) {
    double all() {
      return append + attend + flush;
    }
  }

  PromptCase(
      CudaDevice device, CudaKernels kernels, int[] heads, int headDim, int prefix, int rows) {
    this(device, kernels, SinkPolicy.DEFAULT, heads, headDim, prefix, rows);
  }

  PromptCase(
      CudaDevice device,
      CudaKernels kernels,
      SinkPolicy sinks,
      int[] heads,
      int headDim,
      int prefix,
      int rows) {
    this.device = device;
    ModelShape shape = ModelShape.of(1, heads[0], heads[1], headDim);
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .sinks(sinks)
            .firstSinkLayer(0)
            .capacityTokens(prefix + rows + PAGE)
            .build();
    geometry = new CacheGeometry(shape, spec);
    int capacity = (prefix + rows) / PAGE + 2;
    PageMasks masks = new PageMasks(geometry.trackedHeads(), capacity, PAGE);
    engine =
        new CudaEngine(new CacheMemory(geometry, capacity, 1, masks), device, kernels, () -> {});
    int most = Math.max(rows, prefix);
    long qBytes = (long) most * heads[0] * headDim * Short.BYTES;
    long kBytes = (long) most * heads[1] * headDim * Short.BYTES;
    memory = device.allocate(2 * qBytes + 2 * kBytes);
    randomize(2 * qBytes + 2 * kBytes);
    state = new SequenceState(0, PAGE, new SinkTable(geometry.sinks(), geometry.trackedHeads()));
    q = TensorView.ofDevice(memory, DType.F16, most, heads[0], headDim);
    out = TensorView.ofDevice(memory + qBytes, DType.F16, most, heads[0], headDim);
    k = TensorView.ofDevice(memory + 2 * qBytes, DType.F16, most, heads[1], headDim);
    v = TensorView.ofDevice(memory + 2 * qBytes + kBytes, DType.F16, most, heads[1], headDim);
    if (prefix > 0) {
      int[] pages = pages(prefix);
      CudaStep first = begin(prefix, pages);
      first.run(0, q, k, v, out);
      first.commit();
      state.advance(prefix, pages);
    }
    step = begin(rows, pages(rows));
  }

  /** Ids of the pages that the next rows fill. */
  private int[] pages(int more) {
    int[] ids = new int[geometry.flushedPages(state.length() - state.flushedTokens(), more)];
    Arrays.setAll(ids, i -> state.pageCount() + i);
    return ids;
  }

  private CudaStep begin(int more, int[] pages) {
    SequenceStep one = new SequenceStep(state, 0, more, pages);
    return new CudaStep(engine, new StepPlan(List.of(one), more, new SinkJournal()));
  }

  private void randomize(long bytes) {
    MemorySegment pinned = device.allocatePinned(bytes);
    Random random = new Random(5);
    short[] some = new short[1 << 20];
    for (int i = 0; i < some.length; i++) {
      some[i] = Float.floatToFloat16((float) random.nextGaussian());
    }
    for (long at = 0; at < bytes; at += Short.BYTES) {
      // Not periodic in any row length.
      pinned.set(JAVA_SHORT, at, some[(int) (at / Short.BYTES % (some.length - 3))]);
    }
    device.copyToDevice(memory, pinned, engine.stream);
    device.synchronize(engine.stream);
    device.freePinned(pinned);
  }

  private double millis(IntConsumer work) {
    CudaDevice.Event from = device.createEvent();
    CudaDevice.Event to = device.createEvent();
    double[] all = new double[REPEATS];
    for (int i = -2; i < REPEATS; i++) {
      device.record(from, engine.stream);
      work.accept(0);
      device.record(to, engine.stream);
      float one = device.elapsedMillis(from, to);
      all[Math.max(i, 0)] = one;
    }
    device.destroy(from);
    device.destroy(to);
    Arrays.sort(all);
    return all[REPEATS / 2];
  }

  /** Times the kernels. */
  Times run() {
    engine.staging.bind(step.bind(0), q, k, v, out);
    double append = millis(step::append);
    double attend = millis(layer -> step.attend(layer, DType.F16));
    return new Times(append, attend, millis(step::flush));
  }

  @Override
  public void close() {
    step.rollback();
    device.free(memory);
    engine.close();
  }

  /**
   * Measures several shapes; a table in Markdown, in microseconds.
   *
   * @param kernels of head dimension 128; others are built
   */
  static List<String> rows(CudaDevice device, CudaKernels kernels) {
    int[][] cases = {
      {32, 8, 128, 0, 8192},
      {32, 8, 128, 0, 2048},
      {32, 8, 128, 0, 512},
      {32, 8, 128, 8192, 2048},
      {32, 8, 128, 32768, 512},
      {32, 8, 128, 32768, 64},
      {32, 32, 128, 0, 8192},
      {32, 8, 64, 0, 8192},
      {32, 8, 256, 0, 8192}
    };
    List<String> rows = new ArrayList<>();
    rows.add("| q/KV heads, D, tokens in pages, rows | append, us | attend | flush | all |");
    rows.add("|---|---|---|---|---|");
    for (int[] c : cases) {
      CudaKernels own = c[2] == 128 ? kernels : new CudaKernels(device, c[2]);
      int[] heads = {c[0], c[1]};
      try (PromptCase prompt = new PromptCase(device, own, heads, c[2], c[3], c[4])) {
        Times t = prompt.run();
        rows.add(
            String.format(
                Locale.ROOT,
                "| %d/%d, %d, %d, %d | %.1f | %.1f | %.1f | %.1f |",
                c[0],
                c[1],
                c[2],
                c[3],
                c[4],
                1000 * t.append,
                1000 * t.attend,
                1000 * t.flush,
                1000 * t.all()));
      }
    }
    return rows;
  }
}
