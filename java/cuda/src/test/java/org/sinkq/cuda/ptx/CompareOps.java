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

  // What a comparison may find, a bit each; an operation is the set of those that make it true.
  private static final int LESS = 1;
  private static final int EQUAL = 2;
  private static final int GREATER = 4;
  private static final int UNORDERED = 8;

  /** The set of an operation; on floating-point values those that end in u are true for NaNs. */
  private static int truths(String op, boolean real) {
    return switch (op) {
      case "eq" -> EQUAL;
      case "ne" -> LESS | GREATER;
      case "lt", "lo" -> LESS;
      case "le", "ls" -> LESS | EQUAL;
      case "gt", "hi" -> GREATER;
      case "ge", "hs" -> GREATER | EQUAL;
      default -> {
        if (!real) {
          throw unknown(op);
        }
        yield unordered(op);
      }
    };
  }

  private static int unordered(String op) {
    return switch (op) {
      case "equ" -> EQUAL | UNORDERED;
      case "neu" -> LESS | GREATER | UNORDERED;
      case "ltu" -> LESS | UNORDERED;
      case "leu" -> LESS | EQUAL | UNORDERED;
      case "gtu" -> GREATER | UNORDERED;
      case "geu" -> GREATER | EQUAL | UNORDERED;
      case "num" -> LESS | EQUAL | GREATER;
      case "nan" -> UNORDERED;
      default -> throw unknown(op);
    };
  }

  private static int lanes(int truths, int less, int equal, int greater) {
    return ((truths & LESS) != 0 ? less : 0)
        | ((truths & EQUAL) != 0 ? equal : 0)
        | ((truths & GREATER) != 0 ? greater : 0)
        | ((truths & UNORDERED) != 0 ? ~(less | equal | greater) : 0);
  }

  private static Comparison comparison(Decoder in, Insn i, int shift) {
    PtxType type = i.type();
    int truths = truths(i.parts().getFirst(), type.isFloat());
    if (type.isLong()) {
      int a = in.readLong(i.operand(1), type);
      int b = in.readLong(i.operand(2), type);
      if (type.isFloat()) {
        return w -> doubles(w.d, a, b, truths);
      }
      long flip = type.isSigned() ? 0 : Long.MIN_VALUE;
      return w -> longs(w.d, a, b, flip, truths);
    }
    int a = in.readInt(i.operand(1), type);
    int b = in.readInt(i.operand(2), type);
    if (type == PtxType.F32) {
      boolean flush = i.has("ftz");
      return w -> floats(w.r, a, b, flush, truths);
    }
    if (type.isFloat()) {
      Half format = HalfOps.format(type);
      return w -> halves(w.r, a, b, format, shift, truths);
    }
    // Shifted to the top, integers of 16 bits compare as those of 32 do.
    int up = 32 - 8 * type.bytes;
    int flip = type.isSigned() ? 0 : Integer.MIN_VALUE;
    return w -> ints(w.r, a, b, up, flip, truths);
  }

  private static int ints(int[] r, int a, int b, int up, int flip, int truths) {
    int less = 0;
    int equal = 0;
    for (int l = 0; l < WARP; l++) {
      int x = r[a + l] << up ^ flip;
      int y = r[b + l] << up ^ flip;
      less |= x < y ? 1 << l : 0;
      equal |= x == y ? 1 << l : 0;
    }
    return lanes(truths, less, equal, ~(less | equal));
  }

  private static int longs(long[] d, int a, int b, long flip, int truths) {
    int less = 0;
    int equal = 0;
    for (int l = 0; l < WARP; l++) {
      long x = d[a + l] ^ flip;
      long y = d[b + l] ^ flip;
      less |= x < y ? 1 << l : 0;
      equal |= x == y ? 1 << l : 0;
    }
    return lanes(truths, less, equal, ~(less | equal));
  }

  private static int floats(int[] r, int a, int b, boolean flush, int truths) {
    int less = 0;
    int equal = 0;
    int greater = 0;
    for (int l = 0; l < WARP; l++) {
      float x = Float.intBitsToFloat(flush ? FloatOps.flush(r[a + l]) : r[a + l]);
      float y = Float.intBitsToFloat(flush ? FloatOps.flush(r[b + l]) : r[b + l]);
      less |= x < y ? 1 << l : 0;
      equal |= x == y ? 1 << l : 0;
      greater |= x > y ? 1 << l : 0;
    }
    return lanes(truths, less, equal, greater);
  }

  private static int doubles(long[] d, int a, int b, int truths) {
    int less = 0;
    int equal = 0;
    int greater = 0;
    for (int l = 0; l < WARP; l++) {
      double x = Double.longBitsToDouble(d[a + l]);
      double y = Double.longBitsToDouble(d[b + l]);
      less |= x < y ? 1 << l : 0;
      equal |= x == y ? 1 << l : 0;
      greater |= x > y ? 1 << l : 0;
    }
    return lanes(truths, less, equal, greater);
  }

  /** One of the two halves, the one that begins at a bit. */
  private static int halves(int[] r, int a, int b, Half format, int shift, int truths) {
    int less = 0;
    int equal = 0;
    int greater = 0;
    for (int l = 0; l < WARP; l++) {
      float x = format.value(r[a + l] >>> shift);
      float y = format.value(r[b + l] >>> shift);
      less |= x < y ? 1 << l : 0;
      equal |= x == y ? 1 << l : 0;
      greater |= x > y ? 1 << l : 0;
    }
    return lanes(truths, less, equal, greater);
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
