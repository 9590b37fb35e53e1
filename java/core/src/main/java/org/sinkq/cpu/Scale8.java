package org.sinkq.cpu;

/** Scales in a byte: 5 bits of exponent and 3 of mantissa, the upper bits of an fp16 number. */
final class Scale8 {
  /** Mantissa bits of an fp16 number that are dropped. */
  private static final int DROPPED = 7;

  /** The largest finite one, 61440. */
  private static final int LARGEST = 0xf7;

  private static final float[] VALUES = new float[256];

  static {
    for (int i = 0; i < VALUES.length; i++) {
      VALUES[i] = Float.float16ToFloat((short) (i << DROPPED));
    }
  }

  private Scale8() {}

  /** Rounds a number of 0 or more to fp16, and that half up to 3 bits of mantissa. */
  static byte encode(float scale) {
    int half = Float.floatToFloat16(scale);
    return (byte) Math.min(LARGEST, (half + (1 << (DROPPED - 1))) >> DROPPED);
  }

  static float decode(byte scale) {
    return VALUES[scale & 0xff];
  }
}
