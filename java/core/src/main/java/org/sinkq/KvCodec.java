package org.sinkq;

/**
 * How one layer stores the keys and values of a full page.
 *
 * <p>The quantized codecs are asymmetric with fp16 scales and minima: keys per channel over the
 * tokens of a page, values per token over groups of at most 128 channels (KIVI, arXiv 2402.02750).
 */
public enum KvCodec {
  /** Dense binary32 rows: what a plain JVM cache keeps. The window is binary32 as well. */
  FP32(32),
  /** Dense binary16 rows. */
  FP16(16),
  /** 4-bit codes. */
  INT4(4),
  /** 2-bit codes. */
  INT2(2);

  private final int bits;

  KvCodec(int bits) {
    this.bits = bits;
  }

  /** Bits of one stored element, scales not counted. */
  public int bits() {
    return bits;
  }

  /** Whether elements are stored as codes with a scale and a minimum. */
  public boolean isQuantized() {
    return bits < 16;
  }
}
