package org.sinkq.llm.gguf;

import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Element types of tensors. A row is a sequence of blocks of {@link #blockElements()} elements.
 *
 * <pre>
 *   Q8_0  d f16 | int8 [32]                                         x = d * q              8.5 bits
 *   Q4_0  d f16 | nibbles [16]                                      x = d * (q - 8)        4.5
 *   Q4_1  d f16 | m f16 | nibbles [16]                              x = d * q + m          5
 *   Q5_0  d f16 | fifth bits u32 | nibbles [16]                     x = d * (q - 16)       5.5
 *   Q5_1  d f16 | m f16 | fifth bits u32 | nibbles [16]             x = d * q + m          6
 *   Q4_K  d f16 | dmin f16 | 8 scales, 8 mins of 6 bits [12] | nibbles [128]
 *                                                                   x = d * s * q - dmin * m   4.5
 *   Q5_K  d f16 | dmin f16 | scales, mins [12] | fifth bits [32] | nibbles [128]           5.5
 *   Q6_K  nibbles [128] | upper pairs [64] | scales int8 [16] | d f16   x = d * s * (q - 32)   6.5625
 * </pre>
 *
 * In the types with 32 elements a block, nibble {@code i} holds element {@code i} in its low half
 * and {@code i + 16} in its high half.
 */
public enum TensorType {
  /** IEEE 754 binary32. */
  F32(0, 1, 4),
  /** IEEE 754 binary16. */
  F16(1, 1, 2),
  /** 4 bits, a scale for 32 elements. */
  Q4_0(2, 32, 18),
  /** 4 bits, a scale and a minimum for 32 elements. */
  Q4_1(3, 32, 20),
  /** 5 bits, a scale for 32 elements. */
  Q5_0(6, 32, 22),
  /** 5 bits, a scale and a minimum for 32 elements. */
  Q5_1(7, 32, 24),
  /** 8 bits, a scale for 32 elements. */
  Q8_0(8, 32, 34),
  /** 4 bits, a 6-bit scale and minimum for 32 elements. */
  Q4_K(12, 256, 144),
  /** 5 bits, a 6-bit scale and minimum for 32 elements. */
  Q5_K(13, 256, 176),
  /** 6 bits, an 8-bit scale for 16 elements. */
  Q6_K(14, 256, 210),
  /** bfloat16: the upper half of a binary32. */
  BF16(30, 1, 2);

  /** Types that exist but are not read here, so that errors can name them. */
  private static final Map<Integer, String> OTHERS =
      Map.ofEntries(
          Map.entry(9, "Q8_1"),
          Map.entry(10, "Q2_K"),
          Map.entry(11, "Q3_K"),
          Map.entry(15, "Q8_K"),
          Map.entry(16, "IQ2_XXS"),
          Map.entry(17, "IQ2_XS"),
          Map.entry(18, "IQ3_XXS"),
          Map.entry(19, "IQ1_S"),
          Map.entry(20, "IQ4_NL"),
          Map.entry(21, "IQ3_S"),
          Map.entry(22, "IQ2_S"),
          Map.entry(23, "IQ4_XS"),
          Map.entry(24, "I8"),
          Map.entry(25, "I16"),
          Map.entry(26, "I32"),
          Map.entry(27, "I64"),
          Map.entry(28, "F64"),
          Map.entry(29, "IQ1_M"),
          Map.entry(34, "TQ1_0"),
          Map.entry(35, "TQ2_0"),
          Map.entry(39, "MXFP4"));

  private final int id;
  private final int blockElements;
  private final int blockLength;

  TensorType(int id, int blockElements, int blockLength) {
    this.id = id;
    this.blockElements = blockElements;
    this.blockLength = blockLength;
  }

  /** The number that stands for the type in a file. */
  public int id() {
    return id;
  }

  /** Elements of one block. */
  public int blockElements() {
    return blockElements;
  }

  /** Length of one block in bytes. */
  public int blockLength() {
    return blockLength;
  }

  /** Length of {@code elements} elements, whole blocks, in bytes. */
  public long byteSize(long elements) {
    return Math.multiplyExact(elements / blockElements, (long) blockLength);
  }

  /** The type with a number, or null. */
  static TensorType find(int id) {
    for (TensorType type : values()) {
      if (type.id == id) {
        return type;
      }
    }
    return null;
  }

  /** Names a number in an error. */
  static String describe(int id) {
    return String.format(Locale.ROOT, "%s (%d)", OTHERS.getOrDefault(id, "unknown"), id);
  }

  /** All types in an error. */
  static String names() {
    return Arrays.stream(values()).map(Enum::name).collect(Collectors.joining(", "));
  }
}
