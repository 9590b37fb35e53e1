package org.sinkq.cuda.ptx;

import static org.sinkq.cuda.ptx.Lanes.WARP;

/**
 * f16, f16x2, bf16 and bf16x2 arithmetic. Products of two halves are exact in double and sums are
 * rounded to odd first, so each result is rounded once, subnormals included.
 */
final class HalfOps {
  private HalfOps() {}

  /** One lane of one half, as bits. */
  @FunctionalInterface
  private interface HalfLane {
    int apply(int a, int b, int c);
  }

  /** Decodes, or returns null where the opcode is another family's. */
  static Op.Action decode(Decoder in, Insn i) {
    if (i.types().size() != 1) {
      return null;
    }
    Half format = format(i.type());
    HalfLane f = format == null ? null : function(i, format);
    if (f == null) {
      return null;
    }
    boolean pair = i.type().bytes == 4;
    boolean modified = i.has("ftz") || i.has("relu") || i.has("sat");
    if (pair && !modified && (i.root().equals("mul") || i.root().equals("fma"))) {
      return in.ints(i, i.type(), products(format, i.root().equals("fma")));
    }
    return in.ints(
        i,
        i.type(),
        pair
            ? Lanes.each(
                (a, b, c) ->
                    f.apply(a & 0xffff, b & 0xffff, c & 0xffff)
                        | f.apply(a >>> 16, b >>> 16, c >>> 16) << 16)
            : Lanes.each(f::apply));
  }

  /** What kernels compute most with, as a loop of its own: a b + c of pairs, or a b. */
  private static Lanes.Ints products(Half f, boolean add) {
    return (r, a, b, c, out, o) -> {
      for (int l = 0; l < WARP; l++) {
        int x = r[a + l];
        int y = r[b + l];
        // A negative zero leaves every product as it is.
        int z = add ? r[c + l] : 0x8000_8000;
        out[o + l] = fma(f, x, y, z) | fma(f, x >>> 16, y >>> 16, z >>> 16) << 16;
      }
    };
  }

  private static int fma(Half f, int a, int b, int c) {
    return f.round(Exact.oddSum((double) f.value(a) * f.value(b), f.value(c)));
  }

  /** The format of a type, or null if it is none of 16 bits. */
  static Half format(PtxType type) {
    return switch (type) {
      case F16, F16X2 -> Half.FP16;
      case BF16, BF16X2 -> Half.BF16;
      default -> null;
    };
  }

  private static HalfLane function(Insn i, Half f) {
    HalfLane plain =
        switch (i.root()) {
          case "add" -> (a, b, c) -> f.round(Exact.oddSum(f.value(a), f.value(b)));
          case "sub" -> (a, b, c) -> f.round(Exact.oddSum(f.value(a), -f.value(b)));
          case "mul" -> (a, b, c) -> f.round((double) f.value(a) * f.value(b));
          case "fma" -> (a, b, c) -> fma(f, a, b, c);
          case "neg" -> (a, b, c) -> a ^ 0x8000;
          case "abs" -> (a, b, c) -> a & 0x7fff;
          case "min" -> extreme(f, false, i.has("NaN"));
          case "max" -> extreme(f, true, i.has("NaN"));
          default -> null;
        };
    if (plain == null || i.has("xorsign") || i.has("oob")) {
      return null;
    }
    HalfLane flushed = i.has("ftz") ? flushed(plain, f) : plain;
    if (i.has("relu")) {
      return (a, b, c) -> {
        int bits = flushed.apply(a, b, c);
        return f.value(bits) < 0 ? 0 : bits;
      };
    }
    if (i.has("sat")) {
      int one = f.round(1);
      return (a, b, c) -> {
        float value = f.value(flushed.apply(a, b, c));
        return value >= 1 ? one : value > 0 ? f.round(value) : 0;
      };
    }
    return flushed;
  }

  private static HalfLane extreme(Half f, boolean max, boolean nan) {
    return (a, b, c) ->
        f.round(
            Float.intBitsToFloat(
                FloatOps.extreme(
                    Float.floatToRawIntBits(f.value(a)),
                    Float.floatToRawIntBits(f.value(b)),
                    max,
                    nan)));
  }

  private static HalfLane flushed(HalfLane plain, Half f) {
    return (a, b, c) -> flush(plain.apply(flush(a, f), flush(b, f), flush(c, f)), f);
  }

  private static int flush(int bits, Half f) {
    return Math.abs(f.value(bits)) < f.minNormal() ? bits & 0x8000 : bits;
  }
}
