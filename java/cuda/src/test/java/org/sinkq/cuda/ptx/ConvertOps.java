package org.sinkq.cuda.ptx;

import static org.sinkq.cuda.ptx.Lanes.WARP;

/**
 * cvt between all integer and floating-point types, and cvt.pack. A source is read as a long or a
 * double, which hold every value of every type exactly; the result is rounded from that, once.
 */
final class ConvertOps {
  private ConvertOps() {}

  /** Decodes, or returns null where the opcode is another family's. */
  static Op.Action decode(Decoder in, Insn i) {
    if (!i.root().equals("cvt")) {
      return null;
    }
    if (i.has("pack")) {
      return pack(in, i);
    }
    if (i.types().size() != 2 || i.has("satfinite")) {
      return null;
    }
    PtxType to = i.types().get(0);
    PtxType from = i.types().get(1);
    if (to == PtxType.F16X2 || to == PtxType.BF16X2) {
      return from == PtxType.F32 ? pair(in, i, to) : null;
    }
    if (from.isFloat()) {
      return to.isFloat() ? real(in, i, from, to) : truncate(in, i, from, to);
    }
    return to.isFloat() ? fromInteger(in, i, from, to) : integer(in, i, from, to);
  }

  // Integers.

  private static Op.Action integer(Decoder in, Insn i, PtxType from, PtxType to) {
    Operand source = i.operand(1);
    Operand result = i.operand(0);
    boolean saturate = i.has("sat");
    if (!saturate && !Decoder.isLong(source) && !Decoder.isLong(result)) {
      int width = Math.min(from.bits(), to.bits());
      boolean signed = (from.bits() <= to.bits() ? from : to).isSigned();
      return Lanes.ints(
          in.writeInt(result),
          in.readInt(source, from),
          in.zero(),
          in.zero(),
          extension(width, signed, to.bytes == 2 ? 0xffff : -1));
    }
    Source<long[]> read = longs(in, source, from);
    Sink write = sink(in, result, to);
    return (w, mask) -> {
      read.fill(w, w.longs);
      if (saturate) {
        for (int l = 0; l < WARP; l++) {
          w.longs[l] = clamp(w.longs[l], from.isSigned(), to);
        }
      }
      write.keep(w, mask, w.longs);
    };
  }

  private static Lanes.Ints extension(int width, boolean signed, int keep) {
    int shift = 32 - width;
    return signed
        ? (r, a, b, c, out, o) -> {
          for (int l = 0; l < WARP; l++) {
            out[o + l] = r[a + l] << shift >> shift & keep;
          }
        }
        : (r, a, b, c, out, o) -> {
          for (int l = 0; l < WARP; l++) {
            out[o + l] = r[a + l] << shift >>> shift;
          }
        };
  }

  private static long clamp(long x, boolean signed, PtxType to) {
    boolean huge = !signed && x < 0;
    long max = to.isSigned() ? Long.MAX_VALUE >>> (64 - to.bits()) : maxUnsigned(to);
    long min = to.isSigned() ? -(Long.MAX_VALUE >>> (64 - to.bits())) - 1 : 0;
    if (huge) {
      return to == PtxType.U64 ? x : max;
    }
    if (to == PtxType.U64) {
      return Math.max(x, 0);
    }
    return Math.max(min, Math.min(max, x));
  }

  private static long maxUnsigned(PtxType type) {
    return type.bits() == 64 ? -1 : (1L << type.bits()) - 1;
  }

  /** Reads 32 lanes. */
  @FunctionalInterface
  private interface Source<T> {
    void fill(Warp w, T into);
  }

  /** Writes 32 lanes to a register that may be wider than the type. */
  @FunctionalInterface
  private interface Sink {
    void keep(Warp w, int mask, long[] values);
  }

  /** Reads integers, extended from their own width to 64 bits. */
  private static Source<long[]> longs(Decoder in, Operand operand, PtxType type) {
    int shift = 64 - type.bits();
    boolean signed = type.isSigned();
    if (Decoder.isLong(operand) || type.isLong()) {
      int a = in.readLong(operand, type);
      return (w, into) -> {
        for (int l = 0; l < WARP; l++) {
          into[l] = signed ? w.d[a + l] << shift >> shift : w.d[a + l] << shift >>> shift;
        }
      };
    }
    int a = in.readInt(operand, type);
    return (w, into) -> {
      for (int l = 0; l < WARP; l++) {
        long x = w.r[a + l];
        into[l] = signed ? x << shift >> shift : x << shift >>> shift;
      }
    };
  }

  private static Sink sink(Decoder in, Operand operand, PtxType type) {
    int shift = 64 - type.bits();
    boolean signed = type.isSigned();
    if (Decoder.isLong(operand)) {
      int dst = in.writeLong(operand);
      return (w, mask, values) -> {
        for (int l = 0; l < WARP; l++) {
          long x = values[l] << shift;
          w.longs[l] = signed ? x >> shift : x >>> shift;
        }
        w.keepLongs(dst, mask);
      };
    }
    int dst = in.writeInt(operand);
    int keep = operand instanceof Operand.Register r && r.type().bytes == 2 ? 0xffff : -1;
    return (w, mask, values) -> {
      for (int l = 0; l < WARP; l++) {
        long x = values[l] << shift;
        w.ints[l] = (int) (signed ? x >> shift : x >>> shift) & keep;
      }
      w.keepInts(dst, mask);
    };
  }

  // Floating point.

  private static Source<double[]> doubles(Decoder in, Operand operand, PtxType type, boolean ftz) {
    if (type == PtxType.F64) {
      int a = in.readLong(operand, type);
      return (w, into) -> {
        for (int l = 0; l < WARP; l++) {
          into[l] = Double.longBitsToDouble(w.d[a + l]);
        }
      };
    }
    int a = in.readInt(operand, type);
    if (type == PtxType.F32) {
      return (w, into) -> {
        for (int l = 0; l < WARP; l++) {
          int bits = w.r[a + l];
          into[l] = Float.intBitsToFloat(ftz ? FloatOps.flush(bits) : bits);
        }
      };
    }
    Half format = HalfOps.format(type);
    return (w, into) -> {
      for (int l = 0; l < WARP; l++) {
        into[l] = format.value(w.r[a + l]);
      }
    };
  }

  private static Op.Action real(Decoder in, Insn i, PtxType from, PtxType to) {
    if (from == PtxType.F16 && to == PtxType.F32 && i.parts().size() == 2) {
      return in.ints(
          i,
          from,
          (r, a, b, c, out, o) -> {
            for (int l = 0; l < WARP; l++) {
              out[o + l] = Float.floatToRawIntBits(Float.float16ToFloat((short) r[a + l]));
            }
          });
    }
    boolean ftz = i.has("ftz");
    boolean saturate = i.has("sat");
    boolean relu = i.has("relu");
    boolean integral = i.has("rni") || i.has("rzi") || i.has("rmi") || i.has("rpi");
    Half.Rounding whole = integralRounding(i);
    Half.Rounding rounding = Exact.rounding(i);
    Source<double[]> read = doubles(in, i.operand(1), from, ftz);
    Half format = HalfOps.format(to);
    int dst = to == PtxType.F64 ? in.writeLong(i.operand(0)) : in.writeInt(i.operand(0));
    double[] x = new double[WARP];
    return (w, mask) -> {
      read.fill(w, x);
      for (int l = 0; l < WARP; l++) {
        double v = integral ? integral(x[l], whole) : x[l];
        v = saturate ? (v > 0 ? Math.min(v, 1) : 0) : v;
        v = relu && v < 0 ? 0 : v;
        if (to == PtxType.F64) {
          w.longs[l] = Double.isNaN(v) ? Long.MAX_VALUE : Double.doubleToRawLongBits(v);
        } else if (format != null) {
          w.ints[l] = format.round(v, rounding);
        } else {
          int bits = Float.floatToRawIntBits(Exact.toFloat(v, rounding));
          w.ints[l] = Double.isNaN(v) ? 0x7fffffff : ftz ? FloatOps.flush(bits) : bits;
        }
      }
      if (to == PtxType.F64) {
        w.keepLongs(dst, mask);
      } else {
        w.keepInts(dst, mask);
      }
    };
  }

  private static Half.Rounding integralRounding(Insn i) {
    return i.has("rzi")
        ? Half.Rounding.TO_ZERO
        : i.has("rmi")
            ? Half.Rounding.DOWN
            : i.has("rpi") ? Half.Rounding.UP : Half.Rounding.NEAREST_EVEN;
  }

  private static double integral(double x, Half.Rounding rounding) {
    return switch (rounding) {
      case NEAREST_EVEN -> Math.rint(x);
      case TO_ZERO -> x < 0 ? Math.ceil(x) : Math.floor(x);
      case DOWN -> Math.floor(x);
      case UP -> Math.ceil(x);
    };
  }

  /** To integers: rounded as asked, clamped to the type's range, NaNs to zero. */
  private static Op.Action truncate(Decoder in, Insn i, PtxType from, PtxType to) {
    Half.Rounding rounding = integralRounding(i);
    Source<double[]> read = doubles(in, i.operand(1), from, i.has("ftz"));
    Sink write = sink(in, i.operand(0), to);
    double[] x = new double[WARP];
    return (w, mask) -> {
      read.fill(w, x);
      for (int l = 0; l < WARP; l++) {
        w.longs[l] = toInteger(integral(x[l], rounding), to);
      }
      write.keep(w, mask, w.longs);
    };
  }

  private static long toInteger(double x, PtxType to) {
    if (Double.isNaN(x)) {
      return 0;
    }
    if (to == PtxType.U64) {
      if (x >= 0x1p64) {
        return -1;
      }
      return x < 0x1p63 ? (long) Math.max(x, 0) : (long) (x - 0x1p63) + Long.MIN_VALUE;
    }
    return clamp((long) x, true, to);
  }

  private static Op.Action fromInteger(Decoder in, Insn i, PtxType from, PtxType to) {
    Source<long[]> read = longs(in, i.operand(1), from);
    Half.Rounding rounding = Exact.rounding(i);
    boolean unsignedLong = from == PtxType.U64;
    Half format = HalfOps.format(to);
    int dst = to == PtxType.F64 ? in.writeLong(i.operand(0)) : in.writeInt(i.operand(0));
    return (w, mask) -> {
      read.fill(w, w.longs);
      for (int l = 0; l < WARP; l++) {
        long x = w.longs[l];
        if (to == PtxType.F64) {
          w.longs[l] =
              Double.doubleToRawLongBits(unsignedLong && x < 0 ? 2.0 * ((x >>> 1) | (x & 1)) : x);
          continue;
        }
        double odd = unsignedLong && x < 0 ? 2 * odd((x >>> 1) | (x & 1)) : odd(x);
        w.ints[l] =
            format != null
                ? format.round(odd, rounding)
                : Float.floatToRawIntBits(Exact.toFloat(odd, rounding));
      }
      if (to == PtxType.F64) {
        w.keepLongs(dst, mask);
      } else {
        w.keepInts(dst, mask);
      }
    };
  }

  /** A long as a double, rounded to odd so that a second rounding does no harm. */
  private static double odd(long x) {
    long high = x >> 32 << 32;
    return Exact.oddSum((double) high, (double) (x - high));
  }

  /** cvt.rn.f16x2.f32 d, a, b: a in the upper half. */
  private static Op.Action pair(Decoder in, Insn i, PtxType to) {
    Half format = HalfOps.format(to);
    Half.Rounding rounding = Exact.rounding(i);
    boolean relu = i.has("relu");
    return in.ints(
        i,
        PtxType.F32,
        (r, a, b, c, out, o) -> {
          for (int l = 0; l < WARP; l++) {
            float high = Float.intBitsToFloat(r[a + l]);
            float low = Float.intBitsToFloat(r[b + l]);
            high = relu && high < 0 ? 0 : high;
            low = relu && low < 0 ? 0 : low;
            out[o + l] = format.round(low, rounding) | format.round(high, rounding) << 16;
          }
        });
  }

  /** cvt.pack.sat.s8.s32.b32 d, a, b, c: a and b saturated beside the upper half of c. */
  private static Op.Action pack(Decoder in, Insn i) {
    PtxType to = i.types().getFirst();
    if (to.bytes > 2 || i.types().get(1) != PtxType.S32) {
      return null;
    }
    int bits = to.bits();
    int low = (1 << bits) - 1;
    boolean third = i.operands() > 3;
    return in.ints(
        i,
        PtxType.B32,
        Lanes.each(
            (a, b, c) -> {
              int x = (int) clamp(a, true, to) & low;
              int y = (int) clamp(b, true, to) & low;
              return y | (x << bits) | (third ? c << (2 * bits) : 0);
            }));
  }
}
