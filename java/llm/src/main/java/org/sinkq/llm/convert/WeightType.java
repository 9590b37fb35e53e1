package org.sinkq.llm.convert;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Element type of the matrices in a converted folder. Vectors are F32 in any case. */
public enum WeightType {
  /** Exactly what the GGUF file says. */
  F32(Float.BYTES),
  /** 11 significant bits: half the size, and below the error of any quantized file. */
  F16(Short.BYTES),
  /** 8 significant bits. */
  BF16(Short.BYTES);

  private static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final int byteSize;

  WeightType(int byteSize) {
    this.byteSize = byteSize;
  }

  /** Bytes of one element. */
  int byteSize() {
    return byteSize;
  }

  /** Writes elements from {@code index} on. */
  void store(float[] values, MemorySegment target, long index) {
    for (int i = 0; i < values.length; i++) {
      switch (this) {
        case F32 -> target.setAtIndex(FLOAT, index + i, values[i]);
        case F16 -> target.setAtIndex(SHORT, index + i, Float.floatToFloat16(values[i]));
        case BF16 -> target.setAtIndex(SHORT, index + i, roundToBf16(values[i]));
      }
    }
  }

  /** The upper half of a binary32, rounded to nearest even; weights are finite. */
  private static short roundToBf16(float value) {
    int bits = Float.floatToRawIntBits(value);
    return (short) ((bits + 0x7FFF + ((bits >>> 16) & 1)) >>> 16);
  }
}
