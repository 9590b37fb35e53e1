package org.sinkq.llm.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import org.sinkq.llm.gguf.TensorType;

/**
 * Dequantizes blocks as {@link TensorType} draws them, element by element.
 *
 * <p>Code times scale is exact in binary32 for all types but Q6_K, whose product is rounded once;
 * adding the minimum rounds once. Fused or not, the result is the same.
 */
final class ScalarBlocks {
  private static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private ScalarBlocks() {}

  /** Writes {@code n} elements, whole blocks, from a byte offset on. */
  static void dequantize(
      TensorType type, MemorySegment data, long offset, int n, float[] to, int at) {
    int blocks = n / type.blockElements();
    for (int b = 0; b < blocks; b++) {
      long from = offset + (long) b * type.blockLength();
      int first = at + b * type.blockElements();
      switch (type) {
        case F32 -> to[first] = data.get(FLOAT, from);
        case F16 -> to[first] = half(data, from);
        case BF16 -> to[first] = Float.intBitsToFloat(data.get(SHORT, from) << 16);
        case Q8_0 -> eights(data, from, to, first);
        case Q4_0 -> {
          float d = half(data, from);
          nibbles(data, from + 2, 0, d, -8 * d, to, first);
        }
        case Q4_1 -> nibbles(data, from + 4, 0, half(data, from), half(data, from + 2), to, first);
        case Q5_0 -> {
          float d = half(data, from);
          nibbles(data, from + 6, data.get(INT, from + 2), d, -16 * d, to, first);
        }
        case Q5_1 ->
            nibbles(
                data,
                from + 8,
                data.get(INT, from + 4),
                half(data, from),
                half(data, from + 2),
                to,
                first);
        case Q4_K -> superblock(data, from, -1, from + 16, to, first);
        case Q5_K -> superblock(data, from, from + 16, from + 48, to, first);
        case Q6_K -> sixes(data, from, to, first);
      }
    }
  }

  static float half(MemorySegment data, long offset) {
    return Float.float16ToFloat(data.get(SHORT, offset));
  }

  static int unsigned(MemorySegment data, long offset) {
    return data.get(ValueLayout.JAVA_BYTE, offset) & 0xFF;
  }

  private static void eights(MemorySegment data, long from, float[] to, int first) {
    float d = half(data, from);
    for (int i = 0; i < 32; i++) {
      to[first + i] = d * data.get(ValueLayout.JAVA_BYTE, from + 2 + i);
    }
  }

  /** 32 elements; bit {@code i} of {@code fifth} belongs to element {@code i}. */
  private static void nibbles(
      MemorySegment data, long codes, int fifth, float scale, float min, float[] to, int first) {
    for (int i = 0; i < 16; i++) {
      int code = unsigned(data, codes + i);
      int low = (code & 0xF) | (fifth >>> i & 1) << 4;
      int high = (code >>> 4) | (fifth >>> (i + 16) & 1) << 4;
      to[first + i] = scale * low + min;
      to[first + 16 + i] = scale * high + min;
    }
  }

  /**
   * 256 elements of Q4_K or Q5_K: eight groups of 32, two of them sharing 32 bytes of nibbles.
   *
   * @param fifths offset of the fifth bits, bit {@code g} of byte {@code i} for element {@code i}
   *     of group {@code g}; -1 for none
   */
  private static void superblock(
      MemorySegment data, long from, long fifths, long codes, float[] to, int first) {
    float d = half(data, from);
    float dmin = half(data, from + 2);
    for (int g = 0; g < 8; g++) {
      float scale = d * scaleOf(data, from + 4, g);
      float min = dmin * minOf(data, from + 4, g);
      long nibbles = codes + g / 2 * 32L;
      int shift = g % 2 * 4;
      for (int i = 0; i < 32; i++) {
        int code = unsigned(data, nibbles + i) >>> shift & 0xF;
        if (fifths >= 0) {
          code |= (unsigned(data, fifths + i) >>> g & 1) << 4;
        }
        to[first + g * 32 + i] = scale * code - min;
      }
    }
  }

  /**
   * Scale of a group. The first four scales and mins fill the low 6 bits of bytes 0-3 and 4-7; the
   * others have their low 4 bits in the halves of bytes 8-11 and their upper 2 on top of those.
   */
  static int scaleOf(MemorySegment data, long scales, int group) {
    return group < 4
        ? unsigned(data, scales + group) & 63
        : (unsigned(data, scales + group + 4) & 0xF)
            | unsigned(data, scales + group - 4) >>> 6 << 4;
  }

  /** Minimum of a group; see {@link #scaleOf}. */
  static int minOf(MemorySegment data, long scales, int group) {
    return group < 4
        ? unsigned(data, scales + group + 4) & 63
        : unsigned(data, scales + group + 4) >>> 4 | unsigned(data, scales + group) >>> 6 << 4;
  }

  /**
   * 256 elements of Q6_K: two halves of 128, each four runs of 32. Run {@code r} takes the low (r <
   * 2) or high nibbles of 32 bytes and bit pair {@code r} of the half's 32 upper bytes; a scale
   * covers 16 elements.
   */
  private static void sixes(MemorySegment data, long from, float[] to, int first) {
    float d = half(data, from + 208);
    for (int run = 0; run < 8; run++) {
      int half = run / 4;
      int r = run % 4;
      long nibbles = from + half * 64L + r % 2 * 32L;
      long pairs = from + 128 + half * 32L;
      for (int i = 0; i < 32; i++) {
        int low = unsigned(data, nibbles + i) >>> (r / 2 * 4) & 0xF;
        int high = unsigned(data, pairs + i) >>> (2 * r) & 3;
        float scale = d * data.get(ValueLayout.JAVA_BYTE, from + 192 + run * 2L + i / 16);
        to[first + run * 32 + i] = scale * ((low | high << 4) - 32);
      }
    }
  }
}
