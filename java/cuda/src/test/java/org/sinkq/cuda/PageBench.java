package org.sinkq.cuda;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.ModelShape;
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
 * An engine with one sequence whose pages a test crafts. Its steps append rows of zeros, keys and
 * values, and are rolled back.
 */
final class PageBench implements AutoCloseable {
  static final int KV_HEADS = 4;
  static final int GROUP = 4;
  static final int QUERY_HEADS = KV_HEADS * GROUP;

  /** Fills in a page of a KV head, the {@code index}-th of the sequence. */
  interface Crafter {
    void craft(CraftedPage page, int index, int head);
  }

  private final CudaDevice device;
  private final CudaEngine engine;
  private final CacheGeometry geometry;
  private final CudaLayout layout;
  private final int capacity;
  private SequenceState state;
  private CraftedPage[][] pages;

  /** [KV head][page][token][D] */
  private double[][][][] keys;

  private double[][][][] values;

  PageBench(CudaDevice device, int dim, KvCodec codec, int pageTokens, int capacity) {
    this.device = device;
    this.capacity = capacity;
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .codec(codec)
            .pageTokens(pageTokens)
            .firstSinkLayer(0)
            .capacityTokens(capacity * pageTokens)
            .build();
    geometry = new CacheGeometry(ModelShape.of(1, QUERY_HEADS, KV_HEADS, dim), spec);
    PageMasks masks = new PageMasks(geometry.trackedHeads(), capacity, pageTokens);
    engine =
        new CudaEngine(
            new CacheMemory(geometry, capacity, 1, masks),
            device,
            new CudaKernels(device, dim),
            () -> {});
    layout = engine.layouts[0];
  }

  /** Makes the sequence's pages, with these ids; all other pages are NaN. */
  void craft(Crafter crafter, int... ids) {
    long record = layout.pageBytes;
    long bytes = (long) capacity * KV_HEADS * record;
    MemorySegment pinned = device.allocatePinned(bytes);
    // fp16 NaN wherever a parameter may be read.
    pinned.fill((byte) 0xFF);
    pages = new CraftedPage[ids.length][KV_HEADS];
    keys = new double[KV_HEADS][ids.length][layout.pageTokens][];
    values = new double[KV_HEADS][ids.length][layout.pageTokens][];
    for (int i = 0; i < ids.length; i++) {
      for (int h = 0; h < KV_HEADS; h++) {
        pages[i][h] = CraftedPage.of(layout);
        crafter.craft(pages[i][h], i, h);
        pages[i][h].write(pinned, ((long) ids[i] * KV_HEADS + h) * record);
        Arrays.setAll(keys[h][i], pages[i][h]::key);
        Arrays.setAll(values[h][i], pages[i][h]::value);
      }
    }
    device.copyToDevice(engine.pages(0), pinned, engine.stream);
    device.synchronize(engine.stream);
    device.freePinned(pinned);
    state =
        new SequenceState(
            0, layout.pageTokens, new SinkTable(geometry.sinks(), geometry.trackedHeads()));
    state.advance(ids.length * layout.pageTokens, ids);
  }

  private int rows(float[] queries) {
    return queries.length / (QUERY_HEADS * layout.headDim);
  }

  /** Attention of queries [rows][QUERY_HEADS][D] on the device. */
  float[] run(float[] queries) {
    int rows = rows(queries);
    float[] zeros = new float[rows * KV_HEADS * layout.headDim];
    float[] out = new float[queries.length];
    Arrays.fill(out, Float.NaN);
    SequenceStep one = new SequenceStep(state, 0, rows, new int[0]);
    CudaStep step = new CudaStep(engine, new StepPlan(List.of(one), rows, new SinkJournal()));
    TensorView kv = TensorView.of(zeros, rows, KV_HEADS, layout.headDim);
    step.run(
        0,
        TensorView.of(queries, rows, QUERY_HEADS, layout.headDim),
        kv,
        kv,
        TensorView.of(out, rows, QUERY_HEADS, layout.headDim));
    step.rollback();
    return out;
  }

  /** The same in fp64. */
  double[] expected(float[] queries) {
    double[] out = new double[queries.length];
    for (int i = 0; i < queries.length / layout.headDim; i++) {
      attend(queries, i * layout.headDim, i / QUERY_HEADS, i % QUERY_HEADS / GROUP, out);
    }
    return out;
  }

  private void attend(float[] queries, int at, int row, int head, double[] out) {
    int dim = layout.headDim;
    // The rows of zeros have logit 0 and value 0. Weights are relative to the largest logit so far.
    double total = row + 1;
    double largest = 0;
    for (int i = 0; i < pages.length; i++) {
      CraftedPage page = pages[i][head];
      for (int t = 0; t < layout.pageTokens; t++) {
        if (page.masked[t]) {
          continue;
        }
        double[] key = keys[head][i][t];
        double[] value = values[head][i][t];
        double logit = 0;
        for (int d = 0; d < dim; d++) {
          logit += queries[at + d] * key[d];
        }
        logit *= geometry.shape().softmaxScale();
        if (logit > largest) {
          double lower = Math.exp(largest - logit);
          total *= lower;
          for (int d = 0; d < dim; d++) {
            out[at + d] *= lower;
          }
          largest = logit;
        }
        double weight = Math.exp(logit - largest);
        total += weight;
        for (int d = 0; d < dim; d++) {
          out[at + d] += weight * value[d];
        }
      }
    }
    for (int d = 0; d < dim; d++) {
      out[at + d] /= total;
    }
  }

  @Override
  public void close() {
    engine.close();
    device.close();
  }
}
