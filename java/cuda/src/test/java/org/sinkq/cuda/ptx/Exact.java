package org.sinkq.cuda.ptx;

/** Sums rounded once, whatever format and direction the result is rounded to. */
final class Exact {
  private Exact() {}

  /**
   * The sum rounded to odd: where it is inexact, the neighbour whose last bit is one. Rounding that
   * to a format at least two bits shorter gives what rounding the exact sum gives.
   */
  static double oddSum(double a, double b) {
    double sum = a + b;
    double bb = sum - a;
    double error = (a - (sum - bb)) + (b - bb);
    if (error != 0
        && !Double.isInfinite(sum)
        && !Double.isNaN(error)
        && (Double.doubleToRawLongBits(sum) & 1) == 0) {
      return error > 0 ? Math.nextUp(sum) : Math.nextDown(sum);
    }
    return sum;
  }

  /** Rounds to a float. */
  static float toFloat(double value, Half.Rounding rounding) {
    float nearest = (float) value;
    if (nearest == value || Double.isNaN(value)) {
      return nearest;
    }
    return switch (rounding) {
      case NEAREST_EVEN -> nearest;
      case TO_ZERO -> Math.abs(nearest) > Math.abs(value) ? towardsZero(nearest) : nearest;
      case DOWN -> nearest > value ? Math.nextDown(nearest) : nearest;
      case UP -> nearest < value ? Math.nextUp(nearest) : nearest;
    };
  }

  private static float towardsZero(float x) {
    return x > 0 ? Math.nextDown(x) : Math.nextUp(x);
  }

  /** The direction that an opcode asks for; to nearest if it names none. */
  static Half.Rounding rounding(Insn i) {
    return i.has("rz")
        ? Half.Rounding.TO_ZERO
        : i.has("rm")
            ? Half.Rounding.DOWN
            : i.has("rp") ? Half.Rounding.UP : Half.Rounding.NEAREST_EVEN;
  }
}
