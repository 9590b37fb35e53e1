package org.sinkq.cpu;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.sinkq.cache.SequenceState;
import org.sinkq.cache.SequenceStep;
import org.sinkq.cache.SinkJournal;
import org.sinkq.cache.SinkPicks;

/**
 * Turns the oldest groups of one head's window into pages: selects sinks, masks their slots,
 * quantizes and packs.
 */
final class Flusher {
  private final CpuEngine engine;
  private final CpuLayer layer;
  private final int head;
  private final SequenceStep step;
  private final WindowView window;
  private final int tracked;
  private final int pageTokens;

  Flusher(CpuEngine engine, CpuLayer layer, int head, SequenceStep step, WindowView window) {
    this.engine = engine;
    this.layer = layer;
    this.head = head;
    this.step = step;
    this.window = window;
    tracked = engine.geometry.trackedHead(layer.index, head);
    pageTokens = engine.geometry.pageTokens();
  }

  void flush(SinkJournal journal) {
    boolean[] masked = new boolean[step.newPages().length * pageTokens];
    if (tracked >= 0) {
      select(journal, masked);
    }
    if (!layer.layout.codec.isQuantized()) {
      copyPages();
      return;
    }
    int dim = layer.layout.headDim;
    float[] keys = new float[dim * pageTokens];
    float[] values = new float[dim * pageTokens];
    PageFiller filler = filler();
    for (int p = 0; p < step.newPages().length; p++) {
      read(p, keys, values);
      boolean[] pageMask = Arrays.copyOfRange(masked, p * pageTokens, (p + 1) * pageTokens);
      filler.fill(keys, values, pageMask, layer.pages, layer.page(step.newPages()[p], head));
    }
  }

  /** Writes a page of the layer's codec. */
  private interface PageFiller {
    void fill(float[] keys, float[] values, boolean[] masked, MemorySegment to, long page);
  }

  private PageFiller filler() {
    return layer.layout.isAdaptive()
        ? new AdaptiveQuantizer(layer.layout, new Rotation(engine.geometry.rotationBlock()))
            ::quantize
        : new Quantizer(layer.layout)::quantize;
  }

  /** Reads a page's tokens: keys [D][G], values [G][D]. */
  private void read(int page, float[] keys, float[] values) {
    CpuLayout layout = layer.layout;
    int blocks = pageTokens / CpuLayout.BLOCK;
    for (int b = 0; b < blocks; b++) {
      long block = window.block(page * blocks + b, layout.denseBlockLength);
      int first = b * CpuLayout.BLOCK;
      for (int d = 0; d < layout.headDim; d++) {
        long row = block + (long) d * CpuLayout.BLOCK * Short.BYTES;
        engine.kernels.halves(window.segment(), row, CpuLayout.BLOCK, keys, d * pageTokens + first);
      }
      for (int t = 0; t < CpuLayout.BLOCK; t++) {
        for (int d = 0; d < layout.headDim; d += CpuLayout.BLOCK) {
          int n = Math.min(CpuLayout.BLOCK, layout.headDim - d);
          long row = block + layout.denseValueOffset(t, d);
          engine.kernels.halves(window.segment(), row, n, values, (first + t) * layout.headDim + d);
        }
      }
    }
  }

  private void select(SinkJournal journal, boolean[] masked) {
    SequenceState state = step.state();
    for (int page : step.newPages()) {
      engine.masks.clear(tracked, page);
    }
    long[] scores = new long[masked.length];
    for (int i = 0; i < scores.length; i++) {
      scores[i] = window.scores()[window.slot(i)];
    }
    SinkPicks picks = new SinkPicks(engine.geometry.sinks());
    state.sinks().select(tracked, state.flushedTokens(), scores, scores.length, journal, picks);
    float[] key = new float[layer.layout.headDim];
    float[] value = new float[layer.layout.headDim];
    for (int i = 0; i < picks.count(); i++) {
      int token = picks.token(i);
      layer.blocks.read(window.segment(), window.base(), window.slot(token), key, value);
      layer.blocks.write(
          layer.rows.segment, layer.rows.sinkBase(state, head), picks.slot(i), key, value);
      masked[token] = true;
      engine.masks.set(tracked, step.newPages()[token / pageTokens], token % pageTokens);
    }
  }

  /** A dense page is the window's blocks as they are. */
  private void copyPages() {
    int blocks = pageTokens / CpuLayout.BLOCK;
    int length = layer.layout.denseBlockLength;
    MemorySegment from = window.segment();
    for (int p = 0; p < step.newPages().length; p++) {
      long to = layer.page(step.newPages()[p], head);
      for (int b = 0; b < blocks; b++) {
        CpuEngine.copyBlocks(
            layer,
            from,
            window.block(p * blocks + b, length),
            layer.pages,
            to + (long) b * length,
            1);
      }
    }
  }
}
