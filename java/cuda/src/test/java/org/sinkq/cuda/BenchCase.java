package org.sinkq.cuda;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.sinkq.DType;
import org.sinkq.KvCacheSpec;
import org.sinkq.ModelShape;
import org.sinkq.TensorView;
import org.sinkq.cache.PageMasks;
import org.sinkq.cache.SequenceState;
import org.sinkq.cache.SequenceStep;
import org.sinkq.cache.SinkJournal;
import org.sinkq.cache.SinkPicks;
import org.sinkq.cache.SinkTable;
import org.sinkq.cache.StepPlan;
import org.sinkq.engine.CacheMemory;
import org.sinkq.layout.CacheGeometry;

/**
 * One shape of the benchmark on an engine of its own: sequences of a given length, whose pages are
 * copies of packed ones, with half a page of tokens in the window beside those that always stay
 * there (95 with pages of 128) and 18 in pool and spill. As many layers as it takes to be well
 * beyond L2; they run one after the other, as in a model.
 */
final class BenchCase implements AutoCloseable {
  private static final int HEAD_DIM = 128;
  private static final int TEMPLATE_PAGES = 8;
  private static final long BEYOND_L2 = 300L << 20;

  private final CudaDevice device;
  private final CudaEngine engine;
  private final CacheGeometry geometry;
  private final int pageTokens;
  private final int window;
  private final int layers;
  private final int batch;
  private final int pages;
  private final long tensors;
  private final TensorView q;
  private final TensorView k;
  private final TensorView out;

  /**
   * Fills a cache.
   *
   * @param cache its codec, and whatever else is not the default
   */
  BenchCase(
      CudaDevice device,
      CudaKernels kernels,
      KvCacheSpec.Builder cache,
      int[] heads,
      int batch,
      int context) {
    this.device = device;
    this.batch = batch;
    KvCacheSpec spec = cache.firstSinkLayer(0).capacityTokens(context).build();
    pageTokens = spec.pageTokens();
    window = spec.windowTokens() + (pageTokens - 1) / 2;
    pages = context / pageTokens;
    ModelShape one = ModelShape.of(1, heads[0], heads[1], HEAD_DIM);
    int bits = new CacheGeometry(one, spec).layer(0).codec().bits();
    long bytes = (long) batch * context * heads[1] * HEAD_DIM * 4 * bits / 16;
    layers = Math.clamp(BEYOND_L2 / bytes, 1, 12);
    ModelShape shape = ModelShape.of(layers, heads[0], heads[1], HEAD_DIM);
    geometry = new CacheGeometry(shape, spec);
    int capacity = batch * (pages + 1) + TEMPLATE_PAGES;
    PageMasks masks = new PageMasks(geometry.trackedHeads(), capacity, pageTokens);
    engine =
        new CudaEngine(
            new CacheMemory(geometry, capacity, batch, masks), device, kernels, () -> {});
    long qBytes = (long) batch * heads[0] * HEAD_DIM * Short.BYTES;
    tensors = device.allocate(3 * qBytes);
    // 0x3C3C is 1.06 in fp16: finite, and the time does not depend on it.
    device.fill(tensors, (byte) 0x3C, 3 * qBytes, engine.stream);
    q = TensorView.ofDevice(tensors, DType.F16, batch, heads[0], HEAD_DIM);
    k = TensorView.ofDevice(tensors + qBytes, DType.F16, batch, heads[1], HEAD_DIM);
    out = TensorView.ofDevice(tensors + 2 * qBytes, DType.F16, batch, heads[0], HEAD_DIM);
    fill(capacity);
  }

  private SinkTable table() {
    return new SinkTable(geometry.sinks(), geometry.trackedHeads());
  }

  /** Packs a few pages of random rows, and copies them over all others. */
  private void fill(int capacity) {
    SequenceState first = new SequenceState(0, pageTokens, table());
    int rows = TEMPLATE_PAGES * pageTokens + geometry.windowTokens();
    int[] newPages = new int[TEMPLATE_PAGES];
    Arrays.setAll(newPages, i -> i);
    ModelShape shape = geometry.shape();
    Random random = new Random(1);
    float[] keys = new float[rows * shape.numKvHeads() * HEAD_DIM];
    for (int i = 0; i < keys.length; i++) {
      keys[i] = (float) random.nextGaussian();
    }
    float[] queries = new float[rows * shape.numQoHeads() * HEAD_DIM];
    SequenceStep prompt = new SequenceStep(first, 0, rows, newPages);
    CudaStep step = new CudaStep(engine, new StepPlan(List.of(prompt), rows, new SinkJournal()));
    for (int layer = 0; layer < layers; layer++) {
      TensorView kv = TensorView.of(keys, rows, shape.numKvHeads(), HEAD_DIM);
      TensorView qo = TensorView.of(queries, rows, shape.numQoHeads(), HEAD_DIM);
      step.run(layer, qo, kv, kv, qo);
    }
    step.commit();
    for (int layer = 0; layer < layers; layer++) {
      long page = (long) shape.numKvHeads() * engine.layouts[layer].pageBytes;
      for (long done = TEMPLATE_PAGES; done < capacity; done *= 2) {
        long more = Math.min(done, capacity - done);
        device.copy(
            engine.pages(layer) + done * page, engine.pages(layer), more * page, engine.stream);
      }
    }
    device.synchronize(engine.stream);
  }

  /** The sequences with so many tokens in the window, pages in random places. */
  private CudaStep step(int tokens) {
    List<Integer> ids = new ArrayList<>();
    for (int i = 0; i < batch * (pages + 1); i++) {
      ids.add(i);
    }
    Collections.shuffle(ids, new Random(2));
    List<SequenceStep> steps = new ArrayList<>();
    boolean flushes = geometry.flushedPages(tokens, 1) > 0;
    for (int s = 0; s < batch; s++) {
      SequenceState state = new SequenceState(s, pageTokens, table());
      int[] mine = new int[pages];
      for (int i = 0; i < pages; i++) {
        mine[i] = ids.get(s * (pages + 1) + i);
      }
      state.advance(pages * pageTokens + tokens, mine);
      addSinks(state.sinks());
      int[] newPages = flushes ? new int[] {ids.get(s * (pages + 1) + pages)} : new int[0];
      steps.add(new SequenceStep(state, s, 1, newPages));
    }
    return new CudaStep(engine, new StepPlan(steps, batch, new SinkJournal()));
  }

  private void addSinks(SinkTable table) {
    SinkPicks picks = new SinkPicks(geometry.sinks());
    for (int head = 0; head < table.heads(); head++) {
      for (int round = 0; round < 6; round++) {
        long[] scores = new long[pageTokens];
        Arrays.fill(scores, 1000);
        Arrays.fill(scores, 0, 3, 100 - round);
        table.select(head, round * pageTokens, scores, pageTokens, new SinkJournal(), picks);
      }
    }
  }

  private void bind(CudaStep step, int layer) {
    engine.staging.bind(step.bind(layer), q, k, k, out);
  }

  /** Microseconds of one layer's work, median over replays of a graph of all layers. */
  private double time(CudaStep step, java.util.function.IntConsumer work) {
    int chain = Math.max(1, 12 / layers) * layers;
    return GraphTimer.micros(
        device,
        engine.stream,
        chain,
        i -> {
          bind(step, i % layers);
          work.accept(i % layers);
        });
  }

  /**
   * A decode step's work in one layer, a chain of launches: attention, and the new rows' way into
   * the window.
   */
  double attendMicros() {
    CudaStep step = step(window);
    double micros = time(step, layer -> step.attend(layer, DType.F16));
    step.rollback();
    return micros;
  }

  /** Selection and packing of one page of every sequence. */
  double flushMicros() {
    CudaStep step = step(geometry.flushTokens() - 1);
    double micros = time(step, step::flush);
    step.rollback();
    return micros;
  }

  /** Bytes that attention of one layer has to read, codes and parameters or dense rows. */
  long usefulBytes() {
    CudaLayout layout = engine.layouts[0];
    long dense = (window + 1 + 18L) * layout.denseBlock / CudaLayout.TILE;
    return (long) batch
        * geometry.shape().numKvHeads()
        * ((long) pages * layout.pageBytes + (layout.isQuantized() ? dense : window * 512L));
  }

  @Override
  public void close() {
    device.free(tensors);
    engine.close();
  }
}
