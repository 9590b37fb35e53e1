package org.sinkq.reference;

import java.lang.foreign.ValueLayout;
import org.sinkq.TensorView;

/** Element by element access to host tensors. */
public final class Tensors {
  private Tensors() {}

  private static long at(TensorView tensor, int token, int head, int channel) {
    return (token * tensor.tokenStride() + head * tensor.headStride() + channel)
        * tensor.dtype().byteSize();
  }

  /** One head of one token. */
  public static float[] read(TensorView tensor, int token, int head) {
    float[] row = new float[tensor.headDim()];
    for (int d = 0; d < row.length; d++) {
      long at = at(tensor, token, head, d);
      row[d] =
          switch (tensor.dtype()) {
            case F32 -> tensor.segment().get(ValueLayout.JAVA_FLOAT_UNALIGNED, at);
            case F16 -> Float.float16ToFloat(half(tensor, at));
            case BF16 -> Float.intBitsToFloat(half(tensor, at) << 16);
          };
    }
    return row;
  }

  private static short half(TensorView tensor, long at) {
    return tensor.segment().get(ValueLayout.JAVA_SHORT_UNALIGNED, at);
  }

  /** Writes one head of one token, rounded to the nearest element. */
  public static void write(TensorView tensor, int token, int head, double[] row) {
    for (int d = 0; d < row.length; d++) {
      long at = at(tensor, token, head, d);
      float x = (float) row[d];
      switch (tensor.dtype()) {
        case F32 -> tensor.segment().set(ValueLayout.JAVA_FLOAT_UNALIGNED, at, x);
        case F16 ->
            tensor.segment().set(ValueLayout.JAVA_SHORT_UNALIGNED, at, Float.floatToFloat16(x));
        case BF16 -> tensor.segment().set(ValueLayout.JAVA_SHORT_UNALIGNED, at, bfloat16(x));
      }
    }
  }

  /** The nearer of the two neighbours, the even one at the same distance. */
  static short bfloat16(float x) {
    int low = Float.floatToRawIntBits(x) >>> 16;
    double below = Math.abs((double) x - Float.intBitsToFloat(low << 16));
    double above = Math.abs((double) Float.intBitsToFloat((low + 1) << 16) - x);
    return (short) (below < above || (below == above && low % 2 == 0) ? low : low + 1);
  }
}
