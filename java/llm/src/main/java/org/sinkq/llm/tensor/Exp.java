package org.sinkq.llm.tensor;

/**
 * {@code exp(y)} and {@code x / (1 + exp(-y))} in binary32, the same bits in scalar and vector
 * code: SiLU with y = x, and the usual approximation of GELU with y = 2 sqrt(2 / pi) (x + 0.044715
 * x^3).
 *
 * <p>{@code exp(y) = 2^n * exp(r)} with n = round(y / ln 2) and |r| <= ln 2 / 2, exp(r) as its
 * Taylor polynomial of degree 7, whose remainder there is below 2^-27. Below -{@link #LIMIT} it is
 * 0, above {@link #LIMIT} what it is there.
 */
final class Exp {
  static final float LIMIT = 87f;
  static final float LOG2_E = 1.442695f;

  /** Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits. */
  static final float ROUND = 0x1.8p23f;

  /** ln 2 in two parts, the first with few bits so that its product with n is exact. */
  static final float LN2_HIGH = 0.6933594f;

  static final float LN2_LOW = -2.12194440e-4f;

  /** 1/7! to 1/2!, for Horner's rule. */
  static final float C7 = 1 / 5040f;

  static final float C6 = 1 / 720f;
  static final float C5 = 1 / 120f;
  static final float C4 = 1 / 24f;
  static final float C3 = 1 / 6f;
  static final float C2 = 1 / 2f;

  /** 2 sqrt(2 / pi). */
  static final float GELU_LINEAR = 1.595769f;

  /** 0.044715 of it. */
  static final float GELU_CUBIC = 0.0713548f;

  /** Bits of 1.0. */
  static final int ONE = 0x3F800000;

  static final int MANTISSA_BITS = 23;

  private Exp() {}

  static float silu(float x) {
    return gated(x, -x);
  }

  static float gelu(float x) {
    return gated(x, -x * Math.fma(x * x, GELU_CUBIC, GELU_LINEAR));
  }

  /** {@code x / (1 + exp(exponent))}. */
  private static float gated(float x, float exponent) {
    return x / (1 + exp(exponent));
  }

  static float exp(float exponent) {
    if (exponent < -LIMIT) {
      return 0;
    }
    float y = Math.min(exponent, LIMIT);
    float t = Math.fma(y, LOG2_E, ROUND);
    float n = t - ROUND;
    float r = Math.fma(n, -LN2_LOW, Math.fma(n, -LN2_HIGH, y));
    float p = Math.fma(r, C7, C6);
    p = Math.fma(r, p, C5);
    p = Math.fma(r, p, C4);
    p = Math.fma(r, p, C3);
    p = Math.fma(r, p, C2);
    p = Math.fma(r, p, 1f);
    p = Math.fma(r, p, 1f);
    float power = Float.intBitsToFloat((Float.floatToRawIntBits(t) << MANTISSA_BITS) + ONE);
    return p * power;
  }
}
