package org.sinkq.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.sinkq.cache.PageMasks;
import org.sinkq.cache.SequenceState;
import org.sinkq.cache.StepPlan;
import org.sinkq.concurrent.WorkerPool;
import org.sinkq.engine.CacheMemory;
import org.sinkq.engine.Engine;
import org.sinkq.engine.EngineStep;
import org.sinkq.engine.PageImage;
import org.sinkq.engine.RowOrder;
import org.sinkq.layout.CacheGeometry;

/** Pages and rows in off-heap memory, attention on a team of threads. */
final class CpuEngine implements Engine {
  final CacheGeometry geometry;
  final PageMasks masks;
  final Kernels kernels;
  final WorkerPool workers;
  final Attention attention;
  private final Arena arena = Arena.ofShared();
  private final CpuLayer[] layers;

  CpuEngine(CacheMemory memory, int threads, Kernels kernels) {
    geometry = memory.geometry();
    masks = memory.masks();
    this.kernels = kernels;
    layers = new CpuLayer[geometry.shape().numLayers()];
    String what = memory.pages() + " pages and the rows of " + memory.sequences() + " sequence(s)";
    HostMemory.require(CpuEngineProvider.bytes(memory), what);
    try {
      for (int i = 0; i < layers.length; i++) {
        layers[i] = new CpuLayer(arena, memory, i);
      }
      attention = new Attention(geometry, masks, kernels, threads, arena);
    } catch (OutOfMemoryError e) {
      arena.close();
      throw HostMemory.outOfMemory(what, e);
    }
    workers = WorkerPool.shared(threads);
  }

  CpuLayer layer(int index) {
    return layers[index];
  }

  @Override
  public EngineStep begin(StepPlan plan) {
    return new CpuStep(this, plan);
  }

  @Override
  public void copyRows(SequenceState from, SequenceState to) {
    for (CpuLayer layer : layers) {
      layer.rows.copy(from, to);
    }
  }

  @Override
  public void reopen(SequenceState sequence, int pageIndex, int tokens) {
    int heads = geometry.shape().numKvHeads();
    workers.run(
        layers.length * heads,
        (task, worker) -> reopen(layers[task / heads], task % heads, sequence, pageIndex, tokens));
  }

  private void reopen(CpuLayer layer, int head, SequenceState sequence, int pageIndex, int tokens) {
    int first = pageIndex * geometry.pageTokens();
    int tracked = geometry.trackedHead(layer.index, head);
    long ring = layer.rows.ringBase(sequence, head);
    float[] key = new float[layer.layout.headDim];
    float[] value = new float[layer.layout.headDim];
    PageReader reader = reader(layer, head, sequence.page(pageIndex));
    for (int t = 0; t < tokens; t++) {
      int sink = tracked < 0 ? -1 : sequence.sinks().slotOf(tracked, first + t);
      if (sink >= 0) {
        layer.blocks.read(
            layer.rows.segment, layer.rows.sinkBase(sequence, head), sink, key, value);
      } else {
        reader.read(t, key, value);
        layer.blocks.clamp(key);
        layer.blocks.clamp(value);
      }
      int slot = (first + t) % layer.rows.ringTokens;
      layer.blocks.write(layer.rows.segment, ring, slot, key, value);
      if (tracked >= 0) {
        layer.rows.scores(sequence, head)[slot] =
            sink >= 0 ? sequence.sinks().score(tracked, sink) : Appender.firstScore(layer, key);
      }
    }
  }

  @Override
  public PageImage readPage(int layer, int head, int page) {
    return reader(layers[layer], head, page).image();
  }

  private PageReader reader(CpuLayer layer, int head, int page) {
    Rotation rotation = new Rotation(geometry.rotationBlock());
    return new PageReader(layer.layout, layer.pages, layer.page(page, head), rotation);
  }

  @Override
  public void readPages(int layer, int[] pages, MemorySegment to) {
    layers[layer].copyPages(pages, to, true);
  }

  @Override
  public void writePages(int layer, int[] pages, MemorySegment from) {
    layers[layer].copyPages(pages, from, false);
  }

  @Override
  public void readRows(int layer, SequenceState sequence, MemorySegment to) {
    RowOrder.visit(geometry, layer, sequence, new RowCopy(layers[layer], sequence, to, true));
  }

  @Override
  public void writeRows(int layer, SequenceState sequence, MemorySegment from) {
    RowOrder.visit(geometry, layer, sequence, new RowCopy(layers[layer], sequence, from, false));
  }

  @Override
  public float[] readWindowRow(int layer, int head, SequenceState sequence, int position) {
    DenseRows rows = layers[layer].rows;
    return readRow(layers[layer], rows.ringBase(sequence, head), position % rows.ringTokens);
  }

  @Override
  public float[] readSinkRow(int layer, int head, SequenceState sequence, int sinkSlot) {
    return readRow(layers[layer], layers[layer].rows.sinkBase(sequence, head), sinkSlot);
  }

  @Override
  public long readScore(int layer, int head, SequenceState sequence, int position) {
    DenseRows rows = layers[layer].rows;
    return rows.scores(sequence, head)[position % rows.ringTokens];
  }

  private static float[] readRow(CpuLayer layer, long base, int slot) {
    int dim = layer.layout.headDim;
    float[] key = new float[dim];
    float[] value = new float[dim];
    layer.blocks.read(layer.rows.segment, base, slot, key, value);
    float[] both = java.util.Arrays.copyOf(key, 2 * dim);
    System.arraycopy(value, 0, both, dim, dim);
    return both;
  }

  /** Copies whole blocks of one dense area to another. */
  static void copyBlocks(
      CpuLayer layer, MemorySegment from, long at, MemorySegment to, long toAt, int blocks) {
    MemorySegment.copy(from, at, to, toAt, (long) blocks * layer.layout.denseBlockLength);
  }

  @Override
  public void close() {
    workers.close();
    arena.close();
  }
}
