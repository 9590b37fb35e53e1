package org.sinkq.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.sinkq.cache.SequenceState;
import org.sinkq.layout.CacheGeometry;

/**
 * Window and sink rows of all sequences for one layer, and the scores of the window's tokens.
 * Scores that go by attention change in every step, so there a step works on a copy of its own
 * until it commits.
 *
 * <pre>
 *   sequence slot 0: head 0: ring blocks | sink blocks      head 1: ...
 *   sequence slot 1: ...
 * </pre>
 */
final class DenseRows {
  final MemorySegment segment;
  final int ringTokens;
  private final int heads;
  private final int ringBlocks;
  private final int sinkBlocks;
  private final long blockLength;
  private final long headLength;
  private final boolean tracked;
  private final boolean tracksMass;
  private final long[][] scores;
  private final long[][] working;

  DenseRows(Arena arena, CacheGeometry geometry, int layer, CpuLayout layout, int sequences) {
    heads = geometry.shape().numKvHeads();
    ringTokens = geometry.ringTokens();
    ringBlocks = ringTokens / CpuLayout.BLOCK;
    sinkBlocks = sinkBlocks(geometry, layer);
    blockLength = layout.denseBlockLength;
    headLength = (ringBlocks + sinkBlocks) * blockLength;
    segment = arena.allocate((long) sequences * heads * headLength, CpuLayout.CODE_BLOCK_LENGTH);
    tracked = sinkBlocks > 0;
    tracksMass = geometry.tracksMass(layer);
    scores = tracked ? new long[sequences * heads][ringTokens] : new long[0][];
    working = tracksMass ? new long[sequences * heads][ringTokens] : scores;
  }

  static long bytesPerHead(CacheGeometry geometry, int layer) {
    int sinkBlocks = sinkBlocks(geometry, layer);
    int blocks = geometry.ringTokens() / CpuLayout.BLOCK + sinkBlocks;
    int copies = geometry.tracksMass(layer) ? 2 : 1;
    long scores = sinkBlocks > 0 ? (long) copies * geometry.ringTokens() * Long.BYTES : 0;
    return (long) blocks * new CpuLayout(geometry, layer).denseBlockLength + scores;
  }

  private static int sinkBlocks(CacheGeometry geometry, int layer) {
    return CacheGeometry.roundUp(geometry.layer(layer).sinks().slots(), CpuLayout.BLOCK)
        / CpuLayout.BLOCK;
  }

  int sinkBlocks() {
    return sinkBlocks;
  }

  long ringBase(SequenceState sequence, int head) {
    return ((long) sequence.slot() * heads + head) * headLength;
  }

  long sinkBase(SequenceState sequence, int head) {
    return ringBase(sequence, head) + ringBlocks * blockLength;
  }

  /** Byte offset of the ring block that holds a position. */
  long ringBlock(SequenceState sequence, int head, int position) {
    return ringBase(sequence, head) + position % ringTokens / CpuLayout.BLOCK * blockLength;
  }

  /** Scores of a head's window tokens by ring slot; only tracked layers have any. */
  long[] scores(SequenceState sequence, int head) {
    return scores[sequence.slot() * heads + head];
  }

  /** Those that a step reads and writes: the same array, unless the layer tracks masses. */
  long[] workingScores(SequenceState sequence, int head) {
    return working[sequence.slot() * heads + head];
  }

  /** Begins a step with the committed scores. */
  void beginScores(SequenceState sequence, int head) {
    if (tracksMass) {
      System.arraycopy(scores(sequence, head), 0, workingScores(sequence, head), 0, ringTokens);
    }
  }

  /** Commits a step's scores. */
  void commitScores(SequenceState sequence) {
    for (int h = 0; tracksMass && h < heads; h++) {
      int i = sequence.slot() * heads + h;
      long[] old = scores[i];
      scores[i] = working[i];
      working[i] = old;
    }
  }

  boolean isTracked() {
    return tracked;
  }

  /** Whether scores are attention masses. */
  boolean tracksMass() {
    return tracksMass;
  }

  void copy(SequenceState from, SequenceState to) {
    long length = heads * headLength;
    MemorySegment.copy(segment, ringBase(from, 0), segment, ringBase(to, 0), length);
    for (int h = 0; tracked && h < heads; h++) {
      System.arraycopy(scores(from, h), 0, scores(to, h), 0, ringTokens);
    }
  }
}
