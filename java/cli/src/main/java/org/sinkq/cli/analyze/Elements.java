package org.sinkq.cli.analyze;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.sinkq.TensorView;

/** Reads tensors in host memory. */
final class Elements {
  private Elements() {}

  /** Copies one head of one token as floats. */
  static void read(TensorView tensor, int token, int head, float[] to) {
    MemorySegment data = tensor.segment();
    long at = tensor.byteOffset(token, head);
    for (int i = 0; i < to.length; i++) {
      to[i] =
          switch (tensor.dtype()) {
            case F32 -> data.get(ValueLayout.JAVA_FLOAT_UNALIGNED, at + (long) i * Float.BYTES);
            case F16 -> Float.float16ToFloat(half(data, at, i));
            case BF16 -> Float.intBitsToFloat(half(data, at, i) << Short.SIZE);
          };
    }
  }

  private static short half(MemorySegment data, long at, int i) {
    return data.get(ValueLayout.JAVA_SHORT_UNALIGNED, at + (long) i * Short.BYTES);
  }
}
