package org.sinkq.cuda.ptx;

import static java.lang.Float.floatToRawIntBits;
import static java.lang.Float.intBitsToFloat;
import static org.sinkq.cuda.ptx.Lanes.WARP;

/** f32 and f64 arithmetic: IEEE, with the modifiers .ftz and .sat and all roundings. */
final class FloatOps {
  private static final int NAN = 0x7fffffff;
  private static final long NAN_LONG = 0x7fffffffffffffffL;

  private FloatOps() {}

  /** Decodes, or returns null where the opcode is another family's. */
  static Op.Action decode(Decoder in, Insn i) {
    if (i.type() == PtxType.F64 && i.types().size() == 1) {
      Lanes.Longs f = doubles(i);
      return f == null ? null : in.longs(i, PtxType.F64, f);
    }
    if (i.type() != PtxType.F32 || i.types().size() != 1) {
      return null;
    }
    Lanes.Ints f = floats(i);
    return f == null ? null : in.ints(i, PtxType.F32, modified(f, i));
  }

  /** Adds what .ftz and .sat do to operands and result. */
  static Lanes.Ints modified(Lanes.Ints f, Insn i) {
    boolean flush = i.has("ftz");
    boolean saturate = i.has("sat");
    if (!flush && !saturate) {
      return f;
    }
    int[] operands = new int[3 * WARP];
    return (r, a, b, c, out, o) -> {
      for (int l = 0; l < WARP; l++) {
        operands[l] = flush ? flush(r[a + l]) : r[a + l];
        operands[WARP + l] = flush ? flush(r[b + l]) : r[b + l];
        operands[2 * WARP + l] = flush ? flush(r[c + l]) : r[c + l];
      }
      f.apply(operands, 0, WARP, 2 * WARP, out, o);
      for (int l = 0; l < WARP; l++) {
        out[o + l] = saturate ? saturate(out[o + l]) : flush(out[o + l]);
      }
    };
  }

  /** Makes a subnormal a zero of its sign. */
  static int flush(int bits) {
    return (bits & 0x7f800000) == 0 ? bits & 0x80000000 : bits;
  }

  private static int saturate(int bits) {
    float x = intBitsToFloat(bits);
    return x > 0 ? floatToRawIntBits(Math.min(x, 1f)) : 0;
  }

  private static Lanes.Ints floats(Insn i) {
    Half.Rounding rounding = Exact.rounding(i);
    if (rounding != Half.Rounding.NEAREST_EVEN) {
      return directed(i, rounding);
    }
    return switch (i.root()) {
      case "add" ->
          (r, a, b, c, out, o) -> {
            for (int l = 0; l < WARP; l++) {
              out[o + l] = floatToRawIntBits(intBitsToFloat(r[a + l]) + intBitsToFloat(r[b + l]));
            }
          };
      case "sub" ->
          (r, a, b, c, out, o) -> {
            for (int l = 0; l < WARP; l++) {
              out[o + l] = floatToRawIntBits(intBitsToFloat(r[a + l]) - intBitsToFloat(r[b + l]));
            }
          };
      case "mul" ->
          (r, a, b, c, out, o) -> {
            for (int l = 0; l < WARP; l++) {
              out[o + l] = floatToRawIntBits(intBitsToFloat(r[a + l]) * intBitsToFloat(r[b + l]));
            }
          };
      case "fma", "mad" ->
          (r, a, b, c, out, o) -> {
            for (int l = 0; l < WARP; l++) {
              out[o + l] =
                  floatToRawIntBits(
                      Math.fma(
                          intBitsToFloat(r[a + l]),
                          intBitsToFloat(r[b + l]),
                          intBitsToFloat(r[c + l])));
            }
          };
      case "div" ->
          Lanes.each((a, b, c) -> floatToRawIntBits(intBitsToFloat(a) / intBitsToFloat(b)));
      case "rcp" -> Lanes.each((a, b, c) -> floatToRawIntBits(1f / intBitsToFloat(a)));
      case "sqrt" ->
          Lanes.each((a, b, c) -> floatToRawIntBits((float) Math.sqrt(intBitsToFloat(a))));
      case "min", "max" -> {
        boolean max = i.root().equals("max");
        boolean nan = i.has("NaN");
        if (i.has("xorsign") || i.operands() > 3) {
          yield null;
        }
        yield (r, a, b, c, out, o) -> {
          for (int l = 0; l < WARP; l++) {
            out[o + l] = extreme(r[a + l], r[b + l], max, nan);
          }
        };
      }
      case "abs" ->
          (r, a, b, c, out, o) -> {
            for (int l = 0; l < WARP; l++) {
              out[o + l] = r[a + l] & 0x7fffffff;
            }
          };
      case "neg" ->
          (r, a, b, c, out, o) -> {
            for (int l = 0; l < WARP; l++) {
              out[o + l] = r[a + l] ^ 0x80000000;
            }
          };
      case "copysign" -> Lanes.each((a, b, c) -> (a & 0x80000000) | (b & 0x7fffffff));
      default -> null;
    };
  }

  /** The smaller or larger; a NaN loses against a number unless {@code nan}. */
  static int extreme(int a, int b, boolean max, boolean nan) {
    float x = intBitsToFloat(a);
    float y = intBitsToFloat(b);
    if (Float.isNaN(x) || Float.isNaN(y)) {
      return nan || (Float.isNaN(x) && Float.isNaN(y)) ? NAN : Float.isNaN(x) ? b : a;
    }
    return floatToRawIntBits(max ? Math.max(x, y) : Math.min(x, y));
  }

  private static Lanes.Ints directed(Insn i, Half.Rounding rounding) {
    return switch (i.root()) {
      case "add" -> Lanes.each((a, b, c) -> rounded(Exact.oddSum(real(a), real(b)), rounding));
      case "sub" -> Lanes.each((a, b, c) -> rounded(Exact.oddSum(real(a), -real(b)), rounding));
      case "mul" -> Lanes.each((a, b, c) -> rounded(real(a) * real(b), rounding));
      case "fma" ->
          Lanes.each((a, b, c) -> rounded(Exact.oddSum(real(a) * real(b), real(c)), rounding));
      default -> null;
    };
  }

  private static double real(int bits) {
    return intBitsToFloat(bits);
  }

  private static int rounded(double value, Half.Rounding rounding) {
    return floatToRawIntBits(Exact.toFloat(value, rounding));
  }

  private static Lanes.Longs doubles(Insn i) {
    if (Exact.rounding(i) != Half.Rounding.NEAREST_EVEN || i.has("approx")) {
      return null;
    }
    return switch (i.root()) {
      case "add" -> lanes((a, b, c) -> a + b);
      case "sub" -> lanes((a, b, c) -> a - b);
      case "mul" -> lanes((a, b, c) -> a * b);
      case "fma", "mad" -> lanes(Math::fma);
      case "div" -> lanes((a, b, c) -> a / b);
      case "rcp" -> lanes((a, b, c) -> 1 / a);
      case "sqrt" -> lanes((a, b, c) -> Math.sqrt(a));
      case "min", "max" -> {
        boolean max = i.root().equals("max");
        yield Lanes.eachLong((a, b, c) -> extreme(a, b, max));
      }
      case "abs" -> Lanes.eachLong((a, b, c) -> a & Long.MAX_VALUE);
      case "neg" -> Lanes.eachLong((a, b, c) -> a ^ Long.MIN_VALUE);
      default -> null;
    };
  }

  private static long extreme(long a, long b, boolean max) {
    double x = Double.longBitsToDouble(a);
    double y = Double.longBitsToDouble(b);
    if (Double.isNaN(x) || Double.isNaN(y)) {
      return !Double.isNaN(x) ? a : !Double.isNaN(y) ? b : NAN_LONG;
    }
    return Double.doubleToRawLongBits(max ? Math.max(x, y) : Math.min(x, y));
  }

  /** One lane of doubles. */
  @FunctionalInterface
  private interface DoubleLane {
    double apply(double a, double b, double c);
  }

  private static Lanes.Longs lanes(DoubleLane f) {
    return Lanes.eachLong(
        (a, b, c) ->
            Double.doubleToRawLongBits(
                f.apply(
                    Double.longBitsToDouble(a),
                    Double.longBitsToDouble(b),
                    Double.longBitsToDouble(c))));
  }
}
