package org.sinkq;

/**
 * How one layer stores the keys and values of a full page.
 *
 * <p>{@link #INT4} and {@link #INT2} are asymmetric with fp16 scales and minima: keys per channel
 * over the tokens of a page, values per token over groups of at most 128 channels (KIVI, arXiv
 * 2402.02750).
 */
public enum KvCodec {
  /** Dense binary32 rows: what a plain JVM cache keeps. The window is binary32 as well. */
  FP32(32),
  /** Dense binary16 rows. */
  FP16(16),
  /** 4-bit codes. */
  INT4(4),
  /** 2-bit codes. */
  INT2(2),
  /**
   * 2-bit digits where they matter most: a key's channel gets 0 to 3 digits, values are rotated.
   * Fewer than 2.4 bits an element, scales included, and a fraction of the error of {@link #INT2}.
   *
   * <p>All arithmetic is binary32, each operation rounded, sums in ascending order, none fused. A
   * scale is an fp16 number of 3 mantissa bits in a byte: {@code (fp16 bits + 64) >> 7}, at most
   * 247. Masked tokens take no part in anything and have codes 0.
   *
   * <pre>
   *   grid of n steps over [low, low + range]: for f = 1, 0.9, 0.8, 0.7 and c = 0, 0.05, 0.1, 0.15
   *     s = scale(range * f / n)       z = fp16(low + range * c)
   *     code = round(clamp((x - z) * (1 / s), 0, n)), half to even; 0 where s = 0
   *     error = sum of (code * s + z - x)^2; the first f with the least error is kept
   *
   *   keys, for each channel of a page: low and range from its minimum and maximum
   *     0 digits: z = fp16(mean), s = 0;   b digits: the grid of 4^b - 1 steps
   *     D * 9 / 8 digits, rounded down to a multiple of 8, are given out one by one: each to the
   *     channel where error before - error after, times the sum of squares of its keys (both in
   *     binary64), is largest, the first of equals, until it has 3
   *   values: rotated by the Walsh-Hadamard transform over blocks of channels, the largest power of
   *     two that divides a value group; the butterflies with the nearest partners come first, the
   *     factor 1 / sqrt(block) last. mean = fp16(mean over the page) for each rotated channel.
   *     For each token and value group, m = largest |value - mean|:
   *     the grid of 3 steps with range = 2 m and z = -1.5 s
   *   decoded: key = code * s + z, value = rotated back((code - 1.5) * s + mean)
   * </pre>
   *
   * <p>Attention folds everything: digits, scales and minima of keys into the query, scales of
   * values into the probabilities, means once for each page, the rotation once for each result.
   */
  INT2_ADAPTIVE(2);

  private final int bits;

  KvCodec(int bits) {
    this.bits = bits;
  }

  /** Bits of one stored element or digit, scales not counted. */
  public int bits() {
    return bits;
  }

  /** Whether elements are stored as codes with a scale and a minimum. */
  public boolean isQuantized() {
    return bits < 16;
  }
}
