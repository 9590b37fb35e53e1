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
    float[] key = new float[dim];
    float[] value = new float[dim];
    for (int p = 0; p < step.newPages().length; p++) {
      for (int t = 0; t < pageTokens; t++) {
        layer.blocks.read(window.segment(), window.base(), slot(p * pageTokens + t), key, value);
        for (int d = 0; d < dim; d++) {
          keys[d * pageTokens + t] = key[d];
        }
        System.arraycopy(value, 0, values, t * dim, dim);
      }
      boolean[] pageMask = Arrays.copyOfRange(masked, p * pageTokens, (p + 1) * pageTokens);
      layer.quantizer.quantize(
          keys, values, pageMask, layer.pages, layer.page(step.newPages()[p], head));
    }
  }

  private int slot(int token) {
    return (window.firstSlot() + token) % window.slots();
  }

  private void select(SinkJournal journal, boolean[] masked) {
    SequenceState state = step.state();
    for (int page : step.newPages()) {
      engine.masks.clear(tracked, page);
    }
    long[] scores = new long[masked.length];
    for (int i = 0; i < scores.length; i++) {
      scores[i] = window.scores()[slot(i)];
    }
    SinkPicks picks = new SinkPicks(engine.geometry.sinks());
    state.sinks().select(tracked, state.flushedTokens(), scores, scores.length, journal, picks);
    float[] key = new float[layer.layout.headDim];
    float[] value = new float[layer.layout.headDim];
    for (int i = 0; i < picks.count(); i++) {
      int token = picks.token(i);
      layer.blocks.read(window.segment(), window.base(), slot(token), key, value);
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
