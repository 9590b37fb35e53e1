package org.sinkq.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;
import org.sinkq.DType;
import org.sinkq.TensorView;

/** Reads and writes heads of the caller's tensors, whatever their element type. */
final class Elements {
  private Elements() {}

  static void read(TensorView tensor, int token, int head, float[] to, int at) {
    MemorySegment from = tensor.segment();
    long offset = tensor.byteOffset(token, head);
    int n = tensor.headDim();
    switch (tensor.dtype()) {
      case F32 -> MemorySegment.copy(from, JAVA_FLOAT_UNALIGNED, offset, to, at, n);
      case F16 -> {
        for (int i = 0; i < n; i++) {
          to[at + i] = Float.float16ToFloat(from.get(JAVA_SHORT_UNALIGNED, offset + 2L * i));
        }
      }
      case BF16 -> {
        for (int i = 0; i < n; i++) {
          to[at + i] = Float.intBitsToFloat(from.get(JAVA_SHORT_UNALIGNED, offset + 2L * i) << 16);
        }
      }
    }
  }

  static void write(TensorView tensor, int token, int head, float[] from, int at) {
    MemorySegment to = tensor.segment();
    long offset = tensor.byteOffset(token, head);
    int n = tensor.headDim();
    if (tensor.dtype() == DType.F32) {
      MemorySegment.copy(from, at, to, JAVA_FLOAT_UNALIGNED, offset, n);
      return;
    }
    for (int i = 0; i < n; i++) {
      float value = from[at + i];
      short bits = tensor.dtype() == DType.F16 ? Float.floatToFloat16(value) : toBfloat16(value);
      to.set(JAVA_SHORT_UNALIGNED, offset + 2L * i, bits);
    }
  }

  /** Rounds to nearest, ties to even; outputs are finite. */
  static short toBfloat16(float value) {
    int bits = Float.floatToRawIntBits(value);
    return (short) ((bits + 0x7FFF + ((bits >>> 16) & 1)) >>> 16);
  }
}
