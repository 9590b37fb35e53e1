package org.sinkq.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.sinkq.cache.SequenceState;
import org.sinkq.cache.SequenceStep;
import org.sinkq.layout.CacheGeometry;

/**
 * Dense rows of a sequence during a step that does not fit into its ring: the committed window and
 * the step's rows of one layer at a time, and per layer the tail that no page takes, until commit.
 */
final class StagedRows {
  private final CpuEngine engine;
  private final SequenceState state;
  private final int heads;
  private final int blocks;
  private final int firstKept;
  private final int keptBlocks;
  private final MemorySegment segment;
  private final MemorySegment kept;
  private final long[] keptOffset;
  private final long[][] scores;
  private final long[][] keptScores;

  StagedRows(Arena arena, CpuEngine engine, SequenceStep step) {
    this.engine = engine;
    state = step.state();
    CacheGeometry geometry = engine.geometry;
    heads = geometry.shape().numKvHeads();
    blocks = CacheGeometry.roundUp(step.windowTokens(), CpuLayout.BLOCK) / CpuLayout.BLOCK;
    firstKept = step.newPages().length * geometry.pageTokens() / CpuLayout.BLOCK;
    keptBlocks = blocks - firstKept;
    int layers = geometry.shape().numLayers();
    keptOffset = new long[layers + 1];
    int longest = 0;
    for (int i = 0; i < layers; i++) {
      int length = engine.layer(i).layout.denseBlockLength;
      longest = Math.max(longest, length);
      keptOffset[i + 1] = keptOffset[i] + (long) heads * keptBlocks * length;
    }
    HostMemory.require(
        (long) heads * blocks * longest + keptOffset[layers], "a step of " + step.rows() + " rows");
    segment = arena.allocate((long) heads * blocks * longest, CpuLayout.CODE_BLOCK_LENGTH);
    kept = arena.allocate(Math.max(1, keptOffset[layers]), CpuLayout.CODE_BLOCK_LENGTH);
    scores = new long[heads][slots()];
    keptScores = new long[geometry.trackedHeads()][keptBlocks * CpuLayout.BLOCK];
  }

  MemorySegment segment() {
    return segment;
  }

  int slots() {
    return blocks * CpuLayout.BLOCK;
  }

  long base(CpuLayer layer, int head) {
    return (long) head * blocks * layer.layout.denseBlockLength;
  }

  long[] scores(CpuLayer layer, int head) {
    return layer.rows.isTracked() ? scores[head] : null;
  }

  /**
   * Copies the committed window to the front, and clears the last block: what another layer left in
   * its unused lanes need not be finite in this layer's element type, and attention multiplies even
   * a hidden lane's value by its weight, 0.
   */
  void load(CpuLayer layer, int head) {
    int length = layer.layout.denseBlockLength;
    segment.asSlice(base(layer, head) + (blocks - 1L) * length, length).fill((byte) 0);
    int first = state.flushedTokens();
    for (int b = 0; b * CpuLayout.BLOCK < state.windowLength(); b++) {
      long from = layer.rows.ringBlock(state, head, first + b * CpuLayout.BLOCK);
      CpuEngine.copyBlocks(
          layer, layer.rows.segment, from, segment, base(layer, head) + (long) b * length, 1);
    }
    for (int i = 0; layer.rows.isTracked() && i < state.windowLength(); i++) {
      scores[head][i] = layer.rows.scores(state, head)[(first + i) % layer.rows.ringTokens];
    }
  }

  private long keptBase(CpuLayer layer, int head) {
    return keptOffset[layer.index] + (long) head * keptBlocks * layer.layout.denseBlockLength;
  }

  /** Puts the unflushed tail of a layer aside. */
  void keep(CpuLayer layer, int head) {
    long from = base(layer, head) + (long) firstKept * layer.layout.denseBlockLength;
    CpuEngine.copyBlocks(layer, segment, from, kept, keptBase(layer, head), keptBlocks);
    int tracked = engine.geometry.trackedHead(layer.index, head);
    if (tracked >= 0) {
      System.arraycopy(
          scores[head],
          firstKept * CpuLayout.BLOCK,
          keptScores[tracked],
          0,
          keptScores[tracked].length);
    }
  }

  /** Moves the tails of all layers into the ring. */
  void publish() {
    for (int i = 0; i < engine.geometry.shape().numLayers(); i++) {
      for (int h = 0; h < heads; h++) {
        publish(engine.layer(i), h);
      }
    }
  }

  private void publish(CpuLayer layer, int head) {
    int first = state.flushedTokens() + firstKept * CpuLayout.BLOCK;
    int length = layer.layout.denseBlockLength;
    for (int b = 0; b < keptBlocks; b++) {
      long to = layer.rows.ringBlock(state, head, first + b * CpuLayout.BLOCK);
      CpuEngine.copyBlocks(
          layer, kept, keptBase(layer, head) + (long) b * length, layer.rows.segment, to, 1);
    }
    int tracked = engine.geometry.trackedHead(layer.index, head);
    for (int i = 0; tracked >= 0 && i < keptBlocks * CpuLayout.BLOCK; i++) {
      layer.rows.scores(state, head)[(first + i) % layer.rows.ringTokens] = keptScores[tracked][i];
    }
  }
}
