package org.sinkq.cuda.ptx;

/** The two 16-bit floating-point formats, as bits, and their exact conversions. */
final class Half {
  static final Half FP16 = new Half(10, 5);
  static final Half BF16 = new Half(7, 8);

  /** How a value between two representable ones is rounded. */
  enum Rounding {
    NEAREST_EVEN,
    TO_ZERO,
    DOWN,
    UP
  }

  private static final int NAN = 0x7fff;

  private final int fractionBits;
  private final int minExponent;
  private final int maxExponent;
  private final float[] values = new float[1 << 16];

  private Half(int fractionBits, int exponentBits) {
    this.fractionBits = fractionBits;
    maxExponent = (1 << (exponentBits - 1)) - 1;
    minExponent = 1 - maxExponent;
    for (int bits = 0; bits < values.length; bits++) {
      values[bits] =
          fractionBits == 10
              ? Float.float16ToFloat((short) bits)
              : Float.intBitsToFloat(bits << 16);
    }
  }

  /** The value, which every float holds exactly. */
  float value(int bits) {
    return values[bits & 0xffff];
  }

  /** The smallest normal value. */
  float minNormal() {
    return values[1 << fractionBits];
  }

  /** Rounds to nearest even; NaNs become the canonical one. */
  int round(double value) {
    float single = (float) value;
    if (single != value) {
      return round(value, Rounding.NEAREST_EVEN);
    }
    if (fractionBits == 10) {
      return Float.floatToFloat16(single) & 0xffff;
    }
    int bits = Float.floatToRawIntBits(single);
    return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
  }

  /** Rounds a value, which must not have been rounded before. */
  int round(double value, Rounding rounding) {
    if (Double.isNaN(value)) {
      return NAN;
    }
    int sign = Double.doubleToRawLongBits(value) < 0 ? 0x8000 : 0;
    double magnitude = Math.abs(value);
    int infinity = (2 * maxExponent + 1) << fractionBits;
    if (Double.isInfinite(value)) {
      return sign | infinity;
    }
    // In units of the last place the magnitude is an exact double, and so are its parts.
    int exponent = Math.max(Math.getExponent(magnitude), minExponent);
    double units = Math.scalb(magnitude, fractionBits - exponent);
    double whole =
        switch (rounding) {
          case NEAREST_EVEN -> Math.rint(units);
          case TO_ZERO -> Math.floor(units);
          case DOWN -> sign == 0 ? Math.floor(units) : Math.ceil(units);
          case UP -> sign == 0 ? Math.ceil(units) : Math.floor(units);
        };
    // The hidden bit, and a carry into it, raise the exponent by themselves.
    long bits = (long) whole + ((long) (exponent - minExponent) << fractionBits);
    if (bits >= infinity) {
      boolean inward =
          rounding == Rounding.TO_ZERO
              || (rounding == Rounding.DOWN && sign == 0)
              || (rounding == Rounding.UP && sign != 0);
      return sign | (inward ? infinity - 1 : infinity);
    }
    return sign | (int) bits;
  }
}
