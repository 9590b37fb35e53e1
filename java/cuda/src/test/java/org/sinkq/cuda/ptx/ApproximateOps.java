package org.sinkq.cuda.ptx;

import static java.lang.Float.floatToRawIntBits;
import static java.lang.Float.intBitsToFloat;

/**
 * ex2, lg2, tanh, sin, cos, rsqrt, rcp.approx: computed in double and rounded, which is inside the
 * error that PTX documents for each.
 */
final class ApproximateOps {
  private static final double[] EXP2_SERIES = new double[11];

  static {
    EXP2_SERIES[0] = 1;
    for (int k = 1; k < EXP2_SERIES.length; k++) {
      EXP2_SERIES[k] = EXP2_SERIES[k - 1] * Math.log(2) / k;
    }
  }

  /** The one that softmax lives on. */
  private static final Lanes.Ints EXP2_LANES =
      (r, a, b, c, out, o) -> {
        for (int l = 0; l < Lanes.WARP; l++) {
          out[o + l] = floatToRawIntBits((float) exp2(intBitsToFloat(r[a + l])));
        }
      };

  private ApproximateOps() {}

  /** One value. */
  @FunctionalInterface
  private interface Function {
    double of(double x);
  }

  /** Decodes, or returns null where the opcode is another family's. */
  static Op.Action decode(Decoder in, Insn i) {
    Function f =
        switch (i.root()) {
          case "ex2" -> ApproximateOps::exp2;
          case "lg2" -> x -> Math.log(x) / Math.log(2);
          case "tanh" -> Math::tanh;
          case "sin" -> Math::sin;
          case "cos" -> Math::cos;
          case "rsqrt" -> x -> 1 / Math.sqrt(x);
          default -> null;
        };
    if (f == null) {
      return null;
    }
    return switch (i.type()) {
      case F32 ->
          in.ints(
              i,
              PtxType.F32,
              FloatOps.modified(i.root().equals("ex2") ? EXP2_LANES : singles(f), i));
      case F16, F16X2 -> halves(in, i, Half.FP16, f);
      case BF16, BF16X2 -> halves(in, i, Half.BF16, f);
      default -> null;
    };
  }

  private static Lanes.Ints singles(Function f) {
    return Lanes.each((a, b, c) -> floatToRawIntBits((float) f.of(intBitsToFloat(a))));
  }

  private static Op.Action halves(Decoder in, Insn i, Half format, Function f) {
    boolean pair = i.type().bytes == 4;
    return in.ints(
        i,
        i.type(),
        Lanes.each(
            (a, b, c) -> {
              int low = format.round(f.of(format.value(a)));
              return pair ? low | format.round(f.of(format.value(a >>> 16))) << 16 : low;
            }));
  }

  /** 2 to the power of x, to about 40 bits. */
  static double exp2(double x) {
    if (!(Math.abs(x) < 1000)) {
      return Double.isNaN(x) ? x : x > 0 ? Double.POSITIVE_INFINITY : 0;
    }
    double whole = Math.rint(x);
    double part = x - whole;
    double sum = EXP2_SERIES[10];
    for (int k = 9; k >= 0; k--) {
      sum = sum * part + EXP2_SERIES[k];
    }
    return sum * Double.longBitsToDouble(((long) whole + 1023) << 52);
  }
}
