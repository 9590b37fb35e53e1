package org.sinkq.cpu;

import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Asymmetric quantization of one page: keys per channel over the unmasked tokens, values per token
 * over groups of channels (KIVI, arXiv 2402.02750). Scale and minimum are rounded to fp16 before
 * the codes are computed with them.
 *
 * <p>Works row by row in arrays, in loops that the compiler vectorizes, and copies the codes over
 * at the end. Holds working memory: one object for each flush.
 */
final class Quantizer {
  /** Adding and taking away 1.5 * 2^23 rounds half to even; quotients are far smaller. */
  private static final float ROUND = Exp.ROUND;

  private final CpuLayout layout;
  private final int levels;
  private final int[] codes;
  private final CodeWords words;
  private float scale;
  private float min;

  Quantizer(CpuLayout layout) {
    this.layout = layout;
    levels = (1 << layout.codec.bits()) - 1;
    int lanes = Math.max(layout.pageTokens, layout.headLanes);
    codes = new int[lanes];
    words = new CodeWords(layout.codec.bits(), layout.pageTokens * layout.headLanes);
  }

  /**
   * Fills a page.
   *
   * @param keys [D][G] floats, channel by channel
   * @param values [G][D] floats, token by token
   * @param masked [G] tokens that live elsewhere; their codes are 0 and they take no part in the
   *     range of a key's channel
   */
  void quantize(float[] keys, float[] values, boolean[] masked, MemorySegment to, long page) {
    int tokens = layout.pageTokens;
    words.clear();
    for (int d = 0; d < layout.headDim; d++) {
      findRange(keys, d * tokens, tokens, masked);
      putRange(to, page, page + layout.keyMinOffset, d);
      encode(keys, d * tokens, tokens);
      for (int t = 0; t < tokens; t++) {
        codes[t] = masked[t] ? 0 : codes[t];
      }
      words.put(codes, d, layout.headDim, 0, tokens);
    }
    words.copyTo(tokens * layout.headDim, to, page + layout.keyCodesOffset);
    words.clear();
    for (int t = 0; t < tokens; t++) {
      for (int first = 0; first < layout.headDim; first += layout.valueGroup) {
        findRange(values, t * layout.headDim + first, layout.valueGroup, null);
        int index = first / layout.valueGroup * tokens + t;
        putRange(to, page + layout.valueScaleOffset, page + layout.valueMinOffset, index);
        if (!masked[t]) {
          encode(values, t * layout.headDim + first, layout.valueGroup);
          words.put(codes, t, tokens, first, layout.valueGroup);
        }
      }
    }
    words.copyTo(tokens * layout.headLanes, to, page + layout.valueCodesOffset);
  }

  /** Scale and minimum, rounded to fp16. */
  private void findRange(float[] x, int at, int n, boolean[] masked) {
    float least = Float.POSITIVE_INFINITY;
    float most = Float.NEGATIVE_INFINITY;
    for (int i = 0; i < n; i++) {
      if (masked == null || !masked[i]) {
        float value = x[at + i];
        // Comparing is several times faster than Math.min and Math.max, which order zeros too.
        least = value < least ? value : least;
        most = value > most ? value : most;
      }
    }
    if (least == 0) {
      for (int i = 0; i < n; i++) {
        least = masked == null || !masked[i] ? Math.min(least, x[at + i]) : least;
      }
    }
    scale = half((most - least) / levels);
    min = half(least);
  }

  private static float half(float value) {
    return Float.float16ToFloat(Float.floatToFloat16(value));
  }

  private void putRange(MemorySegment to, long scales, long mins, int index) {
    to.set(JAVA_SHORT_UNALIGNED, scales + 2L * index, Float.floatToFloat16(scale));
    to.set(JAVA_SHORT_UNALIGNED, mins + 2L * index, Float.floatToFloat16(min));
  }

  /** Codes of a row, rounded half to even, and zeros up to a whole number of lane blocks. */
  private void encode(float[] x, int at, int n) {
    Arrays.fill(codes, 0);
    if (scale == 0) {
      return;
    }
    for (int i = 0; i < n; i++) {
      float quotient = (x[at + i] - min) / scale;
      codes[i] = (int) (quotient + ROUND - ROUND);
    }
    for (int i = 0; i < n; i++) {
      codes[i] = Math.max(0, Math.min(levels, codes[i]));
    }
  }
}
