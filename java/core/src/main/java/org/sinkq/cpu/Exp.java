package org.sinkq.cpu;

/**
 * exp in binary32 for both kernel implementations: {@code exp(x) = 2^n * exp(r)}, n = round(x / ln
 * 2), |r| <= ln 2 / 2, with the Taylor polynomial of degree 7, whose remainder there is below
 * 2^-27. Within 2 ulp for -87 <= x <= 88.
 */
final class Exp {
  /** Below this, the result is 0. */
  static final float LOWEST = -87f;

  static final float HIGHEST = 88f;
  static final float LOG2_E = 1.442695f;

  /** Adding and taking away 1.5 * 2^23 rounds to an integer. */
  static final float ROUND = 12582912f;

  static final float LN2_HIGH = 0.6933594f;
  static final float LN2_LOW = -2.12194440e-4f;
  static final float C7 = 1 / 5040f;
  static final float C6 = 1 / 720f;
  static final float C5 = 1 / 120f;
  static final float C4 = 1 / 24f;
  static final float C3 = 1 / 6f;
  static final float C2 = 0.5f;

  private Exp() {}

  static float exp(float x) {
    if (!(x >= LOWEST)) {
      return 0;
    }
    float y = Math.min(x, HIGHEST);
    float n = Math.fma(y, LOG2_E, ROUND) - ROUND;
    float r = Math.fma(n, -LN2_LOW, Math.fma(n, -LN2_HIGH, y));
    float p = Math.fma(r, C7, C6);
    p = Math.fma(r, p, C5);
    p = Math.fma(r, p, C4);
    p = Math.fma(r, p, C3);
    p = Math.fma(r, p, C2);
    p = Math.fma(r, p, 1f);
    p = Math.fma(r, p, 1f);
    return p * Float.intBitsToFloat(((int) n + 127) << 23);
  }
}
