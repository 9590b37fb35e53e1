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

  private Half(int fractionBits, int exponentBits) {
    this.fractionBits = fractionBits;
    maxExponent = (1 << (exponentBits - 1)) - 1;
    minExponent = 1 - maxExponent;
  }

  /** The value of the low 16 bits, which every float holds exactly. */
  float value(int bits) {
    return fractionBits == 10
        ? Float.float16ToFloat((short) bits)
        : Float.intBitsToFloat(bits << 16);
  }

  /** The smallest normal value. */
  float minNormal() {
    return value(1 << fractionBits);
  }

  /** Rounds to nearest even; NaNs become the canonical one. */
  int round(double value) {
    float single = (float) value;
    if (single != value) {
      if (Double.isNaN(value)) {
        return NAN;
      }
      // Rounded to odd instead, which leaves the second rounding as if it were the only one.
      int bits = Float.floatToRawIntBits(single);
      if ((bits & 1) == 0) {
        single = Float.intBitsToFloat(bits + (Math.abs(single) < Math.abs(value) ? 1 : -1));
      }
    }
    if (fractionBits == 10) {
      return Float.floatToFloat16(single) & 0xffff;
    }
    int bits = Float.floatToRawIntBits(single);
    return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
  }

  /** Rounds a value, which must not have been rounded before. */
  int round(double value, Rounding rounding) {
    if (rounding == Rounding.NEAREST_EVEN) {
      return round(value);
    }
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
    boolean outward = rounding == (sign == 0 ? Rounding.UP : Rounding.DOWN);
    double whole = outward ? Math.ceil(units) : Math.floor(units);
    // The hidden bit, and a carry into it, raise the exponent by themselves.
    long bits = (long) whole + ((long) (exponent - minExponent) << fractionBits);
    return sign | (int) (bits < infinity ? bits : outward ? infinity : infinity - 1);
  }
}
