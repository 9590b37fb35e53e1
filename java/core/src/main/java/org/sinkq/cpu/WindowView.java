package org.sinkq.cpu;

import java.lang.foreign.MemorySegment;
import org.sinkq.cache.SinkTable;

/**
 * The dense tokens that a step's queries see, for one head: committed window and the step's rows,
 * in the ring or in the step's own blocks.
 *
 * @param segment memory
 * @param base byte offset of the area
 * @param firstPosition position of the first token, a multiple of the block size
 * @param firstSlot its slot in the area
 * @param slots slots of the area, which is a ring
 * @param tokens tokens in view
 * @param scores by slot, or null where the layer does not track sinks
 */
record WindowView(
    MemorySegment segment,
    long base,
    int firstPosition,
    int firstSlot,
    int slots,
    int tokens,
    long[] scores) {

  /** Byte offset of the n-th block in view. */
  long block(int index, int blockLength) {
    return base
        + (long) ((firstSlot + index * CpuLayout.BLOCK) % slots / CpuLayout.BLOCK) * blockLength;
  }

  /** Slot of the n-th token in view. */
  int slot(int token) {
    return (firstSlot + token) % slots;
  }

  /**
   * Adds attention mass to the tokens of the n-th block. Tiles of the same head do so side by side;
   * sums of integers come out the same in any order.
   *
   * @param units [block] in units of {@link SinkTable#MASS_UNITS}
   */
  void addMasses(int index, long[] units) {
    int first = index * CpuLayout.BLOCK;
    synchronized (scores) {
      for (int i = 0; i < units.length && first + i < tokens; i++) {
        scores[slot(first + i)] -= units[i];
      }
    }
  }

  int blocks() {
    return (tokens + CpuLayout.BLOCK - 1) / CpuLayout.BLOCK;
  }
}
