package org.sinkq.cuda.ptx;

import static org.sinkq.cuda.ptx.Lanes.WARP;

/** setp and set, with the combination by and, or, xor; testp. */
final class CompareOps {
  private CompareOps() {}

  /** Decodes, or returns null where the opcode is another family's. */
  static Op.Action decode(Decoder in, Insn i) {
    return switch (i.root()) {
      case "setp" -> setPredicate(in, i);
      case "set" -> set(in, i);
      case "testp" -> testProperty(in, i);
      default -> null;
    };
  }

  /** Computes the comparison of all lanes; of pairs of halves, the low ones first. */
  @FunctionalInterface
  private interface Comparison {
    int lanes(Warp w);
  }

  private static Op.Action setPredicate(Decoder in, Insn i) {
    boolean pair = i.operand(0) instanceof Operand.Pair;
    int first = in.predicate(pair ? ((Operand.Pair) i.operand(0)).first() : i.operand(0));
    int second = pair ? in.predicate(((Operand.Pair) i.operand(0)).second()) : -1;
    Decoder.PredicateRead c = i.operands() > 3 ? in.readPredicate(i.operand(3)) : null;
    String combine = i.has("and") ? "and" : i.has("or") ? "or" : i.has("xor") ? "xor" : "";
    boolean halves = i.type() == PtxType.F16X2 || i.type() == PtxType.BF16X2;
    Comparison low = comparison(in, i, 0);
    Comparison high = halves ? comparison(in, i, 16) : null;
    return (w, mask) -> {
      int bits = low.lanes(w);
      int other = high == null ? ~bits : high.lanes(w);
      if (c != null) {
        int with = c.of(w);
        bits = combined(combine, bits, with);
        other = combined(combine, other, with);
      }
      w.keepPredicate(first, mask, bits);
      if (second >= 0) {
        w.keepPredicate(second, mask, other);
      }
    };
  }

  private static int combined(String how, int a, int b) {
    return switch (how) {
      case "and" -> a & b;
      case "or" -> a | b;
      case "xor" -> a ^ b;
      default -> a;
    };
  }

  /** set.op.dtype.stype: all ones or zero, 1.0 or 0.0 in a floating-point type. */
  private static Op.Action set(Decoder in, Insn i) {
    if (i.types().size() != 2 || i.operands() > 3) {
      return null;
    }
    PtxType result = i.types().getFirst();
    boolean halves = i.type() == PtxType.F16X2 || i.type() == PtxType.BF16X2;
    int dst = in.writeInt(i.operand(0));
    Comparison low = comparison(in, i, 0);
    Comparison high = halves ? comparison(in, i, 16) : null;
    int yes =
        switch (result) {
          case F32 -> Float.floatToRawIntBits(1f);
          case F16, F16X2 -> Half.FP16.round(1);
          case BF16, BF16X2 -> Half.BF16.round(1);
          default -> halves || result.bytes == 2 ? 0xffff : -1;
        };
    return (w, mask) -> {
      int bits = low.lanes(w);
      int more = high == null ? 0 : high.lanes(w);
      for (int l = 0; l < WARP; l++) {
        w.ints[l] = ((bits >>> l & 1) != 0 ? yes : 0) | ((more >>> l & 1) != 0 ? yes << 16 : 0);
      }
      w.keepInts(dst, mask);
    };
  }

  private static Comparison comparison(Decoder in, Insn i, int shift) {
    PtxType type = i.type();
    String op = i.parts().getFirst();
    if (type.isLong()) {
      int a = in.readLong(i.operand(1), type);
      int b = in.readLong(i.operand(2), type);
      Lanes.LongTest test = type.isFloat() ? doubles(op) : longs(op, type.isSigned());
      return w -> test.apply(w.d, a, b);
    }
    int a = in.readInt(i.operand(1), type);
    int b = in.readInt(i.operand(2), type);
    Lanes.IntTest test;
    if (type == PtxType.F32) {
      test = floats(op, i.has("ftz"));
    } else if (type.isFloat()) {
      Half format = HalfOps.format(type);
      RealTest real = real(op);
      test = each((x, y) -> real.test(format.value(x >>> shift), format.value(y >>> shift)));
    } else if (type.bytes == 2) {
      IntPair pair = integer(op, type.isSigned());
      test = type.isSigned() ? each((x, y) -> pair.test((short) x, (short) y)) : each(pair);
    } else {
      test = ints(op, type.isSigned());
    }
    return w -> test.apply(w.r, a, b);
  }

  /** One lane. */
  @FunctionalInterface
  private interface IntPair {
    boolean test(int a, int b);
  }

  @FunctionalInterface
  private interface RealTest {
    boolean test(double a, double b);
  }

  private static Lanes.IntTest each(IntPair f) {
    return (r, a, b) -> {
      int bits = 0;
      for (int l = 0; l < WARP; l++) {
        bits |= f.test(r[a + l], r[b + l]) ? 1 << l : 0;
      }
      return bits;
    };
  }

  private static Lanes.IntTest ints(String op, boolean signed) {
    return switch (op) {
      case "eq" ->
          (r, a, b) -> {
            int bits = 0;
            for (int l = 0; l < WARP; l++) {
              bits |= r[a + l] == r[b + l] ? 1 << l : 0;
            }
            return bits;
          };
      case "ne" ->
          (r, a, b) -> {
            int bits = 0;
            for (int l = 0; l < WARP; l++) {
              bits |= r[a + l] != r[b + l] ? 1 << l : 0;
            }
            return bits;
          };
      default -> each(integer(op, signed));
    };
  }

  private static IntPair integer(String op, boolean signed) {
    int flip = signed ? 0 : Integer.MIN_VALUE;
    return switch (op) {
      case "eq" -> (a, b) -> a == b;
      case "ne" -> (a, b) -> a != b;
      case "lt", "lo" -> (a, b) -> (a ^ flip) < (b ^ flip);
      case "le", "ls" -> (a, b) -> (a ^ flip) <= (b ^ flip);
      case "gt", "hi" -> (a, b) -> (a ^ flip) > (b ^ flip);
      case "ge", "hs" -> (a, b) -> (a ^ flip) >= (b ^ flip);
      default -> throw unknown(op);
    };
  }

  private static Lanes.LongTest longs(String op, boolean signed) {
    long flip = signed ? 0 : Long.MIN_VALUE;
    return (d, a, b) -> {
      int bits = 0;
      for (int l = 0; l < WARP; l++) {
        int order = Long.compare(d[a + l] ^ flip, d[b + l] ^ flip);
        boolean yes =
            switch (op) {
              case "eq" -> order == 0;
              case "ne" -> order != 0;
              case "lt", "lo" -> order < 0;
              case "le", "ls" -> order <= 0;
              case "gt", "hi" -> order > 0;
              case "ge", "hs" -> order >= 0;
              default -> throw unknown(op);
            };
        bits |= yes ? 1 << l : 0;
      }
      return bits;
    };
  }

  private static Lanes.IntTest floats(String op, boolean flush) {
    RealTest test = real(op);
    return flush
        ? each(
            (a, b) ->
                test.test(
                    Float.intBitsToFloat(FloatOps.flush(a)),
                    Float.intBitsToFloat(FloatOps.flush(b))))
        : each((a, b) -> test.test(Float.intBitsToFloat(a), Float.intBitsToFloat(b)));
  }

  private static Lanes.LongTest doubles(String op) {
    RealTest test = real(op);
    return (d, a, b) -> {
      int bits = 0;
      for (int l = 0; l < WARP; l++) {
        bits |=
            test.test(Double.longBitsToDouble(d[a + l]), Double.longBitsToDouble(d[b + l]))
                ? 1 << l
                : 0;
      }
      return bits;
    };
  }

  /** The comparisons of floating-point values; those that end in u are true for NaNs. */
  private static RealTest real(String op) {
    return switch (op) {
      case "eq" -> (a, b) -> a == b;
      case "ne" -> (a, b) -> a < b || a > b;
      case "lt" -> (a, b) -> a < b;
      case "le" -> (a, b) -> a <= b;
      case "gt" -> (a, b) -> a > b;
      case "ge" -> (a, b) -> a >= b;
      case "equ" -> (a, b) -> !(a < b || a > b);
      case "neu" -> (a, b) -> a != b;
      case "ltu" -> (a, b) -> !(a >= b);
      case "leu" -> (a, b) -> !(a > b);
      case "gtu" -> (a, b) -> !(a <= b);
      case "geu" -> (a, b) -> !(a < b);
      case "num" -> (a, b) -> !Double.isNaN(a) && !Double.isNaN(b);
      case "nan" -> (a, b) -> Double.isNaN(a) || Double.isNaN(b);
      default -> throw unknown(op);
    };
  }

  private static IllegalArgumentException unknown(String op) {
    return new IllegalArgumentException("comparison=" + op + ", expected one of PTX's");
  }

  private static Op.Action testProperty(Decoder in, Insn i) {
    String property = i.parts().getFirst();
    boolean wide = i.type() == PtxType.F64;
    int dst = in.predicate(i.operand(0));
    int a = wide ? in.readLong(i.operand(1), i.type()) : in.readInt(i.operand(1), i.type());
    return (w, mask) -> {
      int bits = 0;
      for (int l = 0; l < WARP; l++) {
        double x = wide ? Double.longBitsToDouble(w.d[a + l]) : Float.intBitsToFloat(w.r[a + l]);
        double least = wide ? Double.MIN_NORMAL : Float.MIN_NORMAL;
        boolean yes =
            switch (property) {
              case "finite" -> Double.isFinite(x);
              case "infinite" -> Double.isInfinite(x);
              case "number" -> !Double.isNaN(x);
              case "notanumber" -> Double.isNaN(x);
              case "normal" -> Double.isFinite(x) && Math.abs(x) >= least;
              case "subnormal" -> x != 0 && Math.abs(x) < least;
              default -> throw unknown(property);
            };
        bits |= yes ? 1 << l : 0;
      }
      w.keepPredicate(dst, mask, bits);
    };
  }
}
