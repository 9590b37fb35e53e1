package org.sinkq.cpu;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;

/**
 * Asymmetric quantization of one page: keys per channel over the unmasked tokens, values per token
 * over groups of channels (KIVI, arXiv 2402.02750). Scale and minimum are rounded to fp16 before
 * the codes are computed with them.
 */
final class Quantizer {
  private final CpuLayout layout;
  private final int levels;

  Quantizer(CpuLayout layout) {
    this.layout = layout;
    levels = (1 << layout.codec.bits()) - 1;
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
    to.asSlice(page, layout.pageLength).fill((byte) 0);
    int tokens = layout.pageTokens;
    for (int d = 0; d < layout.headDim; d++) {
      float[] range = range(keys, d * tokens, tokens, masked);
      put(to, page, d, range[0]);
      put(to, page + layout.keyMinOffset, d, range[1]);
      for (int t = 0; t < tokens; t++) {
        if (!masked[t]) {
          int code = code(keys[d * tokens + t], range);
          or(to, page + layout.keyCodeOffset(t, d), code << layout.codeShift(d, t));
        }
      }
    }
    for (int t = 0; t < tokens; t++) {
      for (int g = 0; g < layout.valueGroups; g++) {
        quantizeValue(values, t, g, masked[t], to, page);
      }
    }
  }

  private void quantizeValue(
      float[] values, int token, int group, boolean masked, MemorySegment to, long page) {
    int first = group * layout.valueGroup;
    float[] range = range(values, token * layout.headDim + first, layout.valueGroup, null);
    int index = group * layout.pageTokens + token;
    put(to, page + layout.valueScaleOffset, index, range[0]);
    put(to, page + layout.valueMinOffset, index, range[1]);
    if (masked) {
      return;
    }
    for (int d = first; d < first + layout.valueGroup; d++) {
      int code = code(values[token * layout.headDim + d], range);
      or(to, page + layout.valueCodeOffset(token, d), code << layout.codeShift(token, d));
    }
  }

  private static void put(MemorySegment to, long table, int index, float value) {
    to.set(JAVA_SHORT_UNALIGNED, table + (long) index * Short.BYTES, Float.floatToFloat16(value));
  }

  private static void or(MemorySegment to, long at, int bits) {
    to.set(JAVA_INT_UNALIGNED, at, to.get(JAVA_INT_UNALIGNED, at) | bits);
  }

  /** Scale and minimum, rounded to fp16. */
  private float[] range(float[] x, int at, int n, boolean[] masked) {
    float min = Float.POSITIVE_INFINITY;
    float max = Float.NEGATIVE_INFINITY;
    for (int i = 0; i < n; i++) {
      if (masked == null || !masked[i]) {
        min = Math.min(min, x[at + i]);
        max = Math.max(max, x[at + i]);
      }
    }
    return new float[] {half((max - min) / levels), half(min)};
  }

  private static float half(float value) {
    return Float.float16ToFloat(Float.floatToFloat16(value));
  }

  private int code(float x, float[] range) {
    if (range[0] == 0) {
      return 0;
    }
    return (int) Math.clamp((float) Math.rint((x - range[1]) / range[0]), 0f, levels);
  }
}
