package org.sinkq.cpu;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** Codes of one half of a page in the block order of {@link CpuLayout}, put in row by row. */
final class CodeWords {
  private final int bits;
  private final int rowsPerBlock;
  private final int[] words;

  CodeWords(int bits, int maxElements) {
    this.bits = bits;
    rowsPerBlock = 16 / bits;
    words = new int[maxElements * bits / Integer.SIZE];
  }

  void clear() {
    Arrays.fill(words, 0);
  }

  /**
   * Puts {@code n} codes of a row, the first of them in lane {@code firstLane}. The array holds
   * zeros up to a whole number of lane blocks.
   *
   * @param rows rows of the matrix
   */
  void put(int[] codes, int row, int rows, int firstLane, int n) {
    int shift = row % rowsPerBlock * bits;
    for (int lane = 0; lane < n; lane += CpuLayout.BLOCK) {
      int block = (firstLane + lane) / CpuLayout.BLOCK * (rows / rowsPerBlock) + row / rowsPerBlock;
      for (int i = 0; i < 16; i++) {
        words[block * 16 + i] |= (codes[lane + i] | codes[lane + 16 + i] << 16) << shift;
      }
    }
  }

  void copyTo(int elements, MemorySegment to, long at) {
    MemorySegment.copy(words, 0, to, JAVA_INT_UNALIGNED, at, elements * bits / Integer.SIZE);
  }
}
