package org.sinkq.cpu;

import java.lang.foreign.MemorySegment;

/**
 * The inner loops of attention. The two implementations give the same bits: each lane adds its rows
 * in ascending order, and sums over lanes are kept as 16 interleaved partial sums, which {@link
 * #total} adds up.
 *
 * <p>Matrices in arrays are [columns][stride]; a column is one query row of one head. {@code n} is
 * a multiple of 16, lanes come in multiples of 32.
 */
interface Kernels {
  /** Interleaved partial sums of a reduction. */
  int PARTIAL_SUMS = 16;

  /** Columns that a product takes at a time, at most. */
  int COLUMNS = 4;

  /** Names the implementation for people. */
  String description();

  /**
   * {@code out[c][lane] += sum over rows of coef[c][row] * code[row][lane]} over blocks in the
   * order of {@link CpuLayout}. The products of every 4 bits of codes (two rows of 2 bits, one of
   * 4) are added up first: there are but 16 such sums for a column, which fit into a vector.
   *
   * @param bits 2 or 4
   * @param outAt first lane's index within a column of {@code out}
   * @param tables working memory, {@link #tableLength} ints
   */
  void codes(
      int bits,
      MemorySegment codes,
      long offset,
      int rowBlocks,
      int laneBlocks,
      float[] coef,
      int coefStride,
      float[] out,
      int outAt,
      int outStride,
      int columns,
      int[] tables);

  /** Ints that {@link #codes} works in for blocks of {@code rows} rows at most. */
  static int tableLength(int rows) {
    return rows * COLUMNS * PARTIAL_SUMS;
  }

  /** Writes the codes of one lane block as floats [rowBlocks * 16 / bits][32]. */
  void expandCodes(int bits, MemorySegment codes, long offset, int rowBlocks, MemorySegment tile);

  /** Writes {@code n} fp16 numbers as floats. */
  void expandHalves(MemorySegment halves, long offset, int n, MemorySegment tile);

  /** Reads {@code n} fp16 numbers into {@code to}, from {@code at} on. */
  void halves(MemorySegment halves, long offset, int n, float[] to, int at);

  /**
   * {@code out[c][lane] += sum over rows of coef[c][row] * x[row][lane]}, x being lane blocks
   * [rows][32] one after another.
   *
   * @param halves whether x is fp16, else binary32
   */
  void rows(
      MemorySegment x,
      long offset,
      boolean halves,
      int rows,
      int laneBlocks,
      float[] coef,
      int coefStride,
      float[] out,
      int outAt,
      int outStride,
      int columns);

  /**
   * {@code coef[coefAt + i] = x[xAt + i] * scale[i]}; adds the products {@code x[xAt + i] * min[i]}
   * to the partial sums from {@code sumAt} on.
   */
  void scaleAndDot(
      float[] x,
      int xAt,
      float[] scale,
      float[] min,
      int n,
      float[] coef,
      int coefAt,
      float[] sums,
      int sumAt);

  /** {@code x[i] = x[i] * factor + addend}. */
  void scaleAndAdd(float[] x, int at, int n, float factor, float addend);

  /** {@code x[i] = cap * tanh(x[i] / cap)}. */
  void softCap(float[] x, int at, int n, float cap);

  /** The largest of {@code n} numbers. */
  float max(float[] x, int at, int n);

  /** {@code x[i] = exp(x[i] - max)}; adds the results to the partial sums from {@code sumAt} on. */
  void exp(float[] x, int at, int n, float max, float[] sums, int sumAt);

  /** Adds up 16 partial sums, halves upon halves. */
  static float total(float[] sums, int at) {
    float a = (sums[at] + sums[at + 8]) + (sums[at + 4] + sums[at + 12]);
    float b = (sums[at + 1] + sums[at + 9]) + (sums[at + 5] + sums[at + 13]);
    float c = (sums[at + 2] + sums[at + 10]) + (sums[at + 6] + sums[at + 14]);
    float d = (sums[at + 3] + sums[at + 11]) + (sums[at + 7] + sums[at + 15]);
    return (a + c) + (b + d);
  }
}
