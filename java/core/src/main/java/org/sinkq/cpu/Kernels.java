package org.sinkq.cpu;

import java.lang.foreign.MemorySegment;

/**
 * The inner loops of attention. The two implementations give the same bits: each lane adds its rows
 * in ascending order with fused multiply-adds, and sums over lanes are taken as 16 interleaved
 * partial sums that are added in order.
 *
 * <p>Matrices in arrays are [columns][stride]; a column is one query row of one head. {@code n} is
 * a multiple of 16, lanes come in multiples of 32.
 */
interface Kernels {
  /** Interleaved partial sums of a reduction. */
  int PARTIAL_SUMS = 16;

  /** Names the implementation for people. */
  String description();

  /**
   * {@code out[c][lane] += sum over rows of coef[c][row] * code[row][lane]} over blocks in the
   * order of {@link CpuLayout}.
   *
   * @param bits 2 or 4
   * @param outAt first lane's index within a column of {@code out}
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
      int columns);

  /** Writes the codes of one lane block as floats [rowBlocks * 16 / bits][32]. */
  void expandCodes(int bits, MemorySegment codes, long offset, int rowBlocks, MemorySegment tile);

  /** Writes {@code n} fp16 numbers as floats. */
  void expandHalves(MemorySegment halves, long offset, int n, MemorySegment tile);

  /** Reads {@code n} fp16 numbers. */
  void halves(MemorySegment halves, long offset, int n, float[] to);

  /**
   * {@code out[c][lane] += sum over rows of coef[c][row] * x[row][lane]}, x being floats
   * [rows][rowStride].
   */
  void floats(
      MemorySegment x,
      long offset,
      int rows,
      int rowStride,
      int lanes,
      float[] coef,
      int coefStride,
      float[] out,
      int outAt,
      int outStride,
      int columns);

  /**
   * {@code coef[at + i] = x[at' + i] * scale[i]}; returns the sum of {@code x[at' + i] * min[i]}.
   */
  float scaleAndDot(
      float[] x, int xAt, float[] scale, float[] min, int n, float[] coef, int coefAt);

  /** {@code x[i] = x[i] * factor + addend}. */
  void scaleAndAdd(float[] x, int at, int n, float factor, float addend);

  /** {@code x[i] = cap * tanh(x[i] / cap)}. */
  void softCap(float[] x, int at, int n, float cap);

  /** The largest of {@code n} numbers. */
  float max(float[] x, int at, int n);

  /** {@code x[i] = exp(x[i] - max)}; returns the sum. */
  float exp(float[] x, int at, int n, float max);
}
