package org.sinkq.cuda.ptx;

import static org.sinkq.cuda.ptx.Lanes.WARP;

/** Integer arithmetic: add, sub, mul, mad, div, rem, min, max, abs, neg, sad, dp4a, bit counts. */
final class IntegerOps {
  private IntegerOps() {}

  /** Decodes, or returns null where the opcode is another family's. */
  static Op.Action decode(Decoder in, Insn i) {
    if (i.type().isFloat()) {
      return null;
    }
    if (i.has("cc")
        || i.root().equals("addc")
        || i.root().equals("subc")
        || i.root().equals("madc")) {
      return CarryOps.decode(in, i);
    }
    PtxType type = i.type();
    return switch (i.root()) {
      case "mul" -> i.has("wide") ? wide(in, i) : same(in, i);
      case "mad" -> i.has("wide") ? wide(in, i) : same(in, i);
      case "popc", "clz", "bfind" -> type.isLong() ? countLong(in, i) : same(in, i);
      case "add", "sub", "div", "rem", "min", "max", "abs", "neg", "sad", "brev" -> same(in, i);
      case "dp4a" -> dp4a(in, i);
      default -> null;
    };
  }

  private static Op.Action same(Decoder in, Insn i) {
    PtxType type = i.type();
    if (type.isLong()) {
      Lanes.Longs f = longs(i);
      return f == null ? null : in.longs(i, type, f);
    }
    Lanes.Ints f = ints(i, type.isSigned());
    if (f == null) {
      return null;
    }
    return in.ints(i, type, type.bytes == 2 ? shorts(f, type.isSigned()) : f);
  }

  /** Makes a 16-bit function of a 32-bit one; a 16-bit register holds its value zero-extended. */
  static Lanes.Ints shorts(Lanes.Ints f, boolean signed) {
    return Lanes.adjusted(
        f, signed ? (x, y, z) -> (short) x : (x, y, z) -> x & 0xffff, (x, y, z) -> x & 0xffff);
  }

  private static Lanes.Ints ints(Insn i, boolean signed) {
    boolean half = i.type().bytes == 2;
    return switch (i.root()) {
      case "add" ->
          i.has("sat")
              ? Lanes.each((a, b, c) -> saturate((long) a + b))
              : (r, a, b, c, out, o) -> {
                for (int l = 0; l < WARP; l++) {
                  out[o + l] = r[a + l] + r[b + l];
                }
              };
      case "sub" ->
          i.has("sat")
              ? Lanes.each((a, b, c) -> saturate((long) a - b))
              : (r, a, b, c, out, o) -> {
                for (int l = 0; l < WARP; l++) {
                  out[o + l] = r[a + l] - r[b + l];
                }
              };
      case "mul" -> {
        if (i.has("hi")) {
          yield half ? Lanes.each((a, b, c) -> (a * b) >> 16) : Lanes.each(mulHi(signed));
        }
        yield (r, a, b, c, out, o) -> {
          for (int l = 0; l < WARP; l++) {
            out[o + l] = r[a + l] * r[b + l];
          }
        };
      }
      case "mad" -> {
        if (i.has("hi")) {
          Lanes.IntLane hi = half ? (a, b, c) -> (a * b) >> 16 : mulHi(signed);
          yield Lanes.each((a, b, c) -> hi.apply(a, b, 0) + c);
        }
        yield (r, a, b, c, out, o) -> {
          for (int l = 0; l < WARP; l++) {
            out[o + l] = r[a + l] * r[b + l] + r[c + l];
          }
        };
      }
      // Division by zero is undefined in PTX and gives all ones on the machine.
      case "div" ->
          signed
              ? Lanes.each((a, b, c) -> b == 0 ? -1 : a / b)
              : Lanes.each((a, b, c) -> b == 0 ? -1 : Integer.divideUnsigned(a, b));
      case "rem" ->
          signed
              ? Lanes.each((a, b, c) -> b == 0 ? a : a % b)
              : Lanes.each((a, b, c) -> b == 0 ? a : Integer.remainderUnsigned(a, b));
      case "min" ->
          signed
              ? (r, a, b, c, out, o) -> {
                for (int l = 0; l < WARP; l++) {
                  out[o + l] = Math.min(r[a + l], r[b + l]);
                }
              }
              : Lanes.each((a, b, c) -> Integer.compareUnsigned(a, b) <= 0 ? a : b);
      case "max" ->
          signed
              ? (r, a, b, c, out, o) -> {
                for (int l = 0; l < WARP; l++) {
                  out[o + l] = Math.max(r[a + l], r[b + l]);
                }
              }
              : Lanes.each((a, b, c) -> Integer.compareUnsigned(a, b) >= 0 ? a : b);
      case "abs" -> Lanes.each((a, b, c) -> Math.abs(a));
      case "neg" -> Lanes.each((a, b, c) -> -a);
      case "sad" ->
          signed
              ? Lanes.each((a, b, c) -> c + (a < b ? b - a : a - b))
              : Lanes.each((a, b, c) -> c + (Integer.compareUnsigned(a, b) < 0 ? b - a : a - b));
      case "popc" -> Lanes.each((a, b, c) -> Integer.bitCount(a));
      case "clz" -> Lanes.each((a, b, c) -> Integer.numberOfLeadingZeros(a));
      case "brev" -> Lanes.each((a, b, c) -> Integer.reverse(a));
      case "bfind" -> {
        boolean shift = i.has("shiftamt");
        yield Lanes.each((a, b, c) -> bfind(signed && a < 0 ? ~a : a, shift));
      }
      default -> null;
    };
  }

  private static int bfind(int a, boolean shiftAmount) {
    if (a == 0) {
      return -1;
    }
    int zeros = Integer.numberOfLeadingZeros(a);
    return shiftAmount ? zeros : 31 - zeros;
  }

  private static Lanes.IntLane mulHi(boolean signed) {
    return signed
        ? (a, b, c) -> (int) (((long) a * b) >> 32)
        : (a, b, c) -> (int) (((a & 0xffffffffL) * (b & 0xffffffffL)) >>> 32);
  }

  private static int saturate(long x) {
    return (int) Math.max(Integer.MIN_VALUE, Math.min(Integer.MAX_VALUE, x));
  }

  private static Lanes.Longs longs(Insn i) {
    boolean signed = i.type().isSigned();
    return switch (i.root()) {
      case "add" ->
          (d, a, b, c, out, o) -> {
            for (int l = 0; l < WARP; l++) {
              out[o + l] = d[a + l] + d[b + l];
            }
          };
      case "sub" -> Lanes.eachLong((a, b, c) -> a - b);
      case "mul" ->
          i.has("hi")
              ? Lanes.eachLong(mulHiLong(signed))
              : (d, a, b, c, out, o) -> {
                for (int l = 0; l < WARP; l++) {
                  out[o + l] = d[a + l] * d[b + l];
                }
              };
      case "mad" -> {
        Lanes.LongLane hi = mulHiLong(signed);
        yield i.has("hi")
            ? Lanes.eachLong((a, b, c) -> hi.apply(a, b, 0) + c)
            : Lanes.eachLong((a, b, c) -> a * b + c);
      }
      case "div" ->
          signed
              ? Lanes.eachLong((a, b, c) -> b == 0 ? -1 : a / b)
              : Lanes.eachLong((a, b, c) -> b == 0 ? -1 : Long.divideUnsigned(a, b));
      case "rem" ->
          signed
              ? Lanes.eachLong((a, b, c) -> b == 0 ? a : a % b)
              : Lanes.eachLong((a, b, c) -> b == 0 ? a : Long.remainderUnsigned(a, b));
      case "min" ->
          signed
              ? Lanes.eachLong((a, b, c) -> Math.min(a, b))
              : Lanes.eachLong((a, b, c) -> Long.compareUnsigned(a, b) <= 0 ? a : b);
      case "max" ->
          signed
              ? Lanes.eachLong((a, b, c) -> Math.max(a, b))
              : Lanes.eachLong((a, b, c) -> Long.compareUnsigned(a, b) >= 0 ? a : b);
      case "abs" -> Lanes.eachLong((a, b, c) -> Math.abs(a));
      case "neg" -> Lanes.eachLong((a, b, c) -> -a);
      case "brev" -> Lanes.eachLong((a, b, c) -> Long.reverse(a));
      default -> null;
    };
  }

  private static Lanes.LongLane mulHiLong(boolean signed) {
    return signed
        ? (a, b, c) -> Math.multiplyHigh(a, b)
        : (a, b, c) -> Math.unsignedMultiplyHigh(a, b);
  }

  /** mul.wide and mad.wide: the product has twice the bits of its factors. */
  private static Op.Action wide(Decoder in, Insn i) {
    PtxType type = i.type();
    if (type.bytes == 2) {
      Lanes.IntLane value = type.isSigned() ? (x, y, z) -> (short) x : (x, y, z) -> x & 0xffff;
      int a = in.readInt(i.operand(1), type);
      int b = in.readInt(i.operand(2), type);
      int c = i.root().equals("mad") ? in.readInt(i.operand(3), PtxType.B32) : in.zero();
      return Lanes.ints(
          in.writeInt(i.operand(0)),
          a,
          b,
          c,
          Lanes.each((x, y, z) -> value.apply(x, 0, 0) * value.apply(y, 0, 0) + z));
    }
    int dst = in.writeLong(i.operand(0));
    int a = in.readInt(i.operand(1), type);
    int b = in.readInt(i.operand(2), type);
    int addend = i.root().equals("mad") ? in.readLong(i.operand(3), PtxType.B64) : in.zeroLong();
    Lanes.Widen f =
        type.isSigned()
            ? (r, x, y, d, c, out, o) -> {
              for (int l = 0; l < WARP; l++) {
                out[o + l] = (long) r[x + l] * r[y + l] + d[c + l];
              }
            }
            : (r, x, y, d, c, out, o) -> {
              for (int l = 0; l < WARP; l++) {
                out[o + l] = (r[x + l] & 0xffffffffL) * (r[y + l] & 0xffffffffL) + d[c + l];
              }
            };
    return Lanes.widen(dst, a, b, addend, f);
  }

  private static Op.Action countLong(Decoder in, Insn i) {
    boolean signed = i.type().isSigned();
    boolean shift = i.has("shiftamt");
    String root = i.root();
    return Lanes.narrow(
        in.writeInt(i.operand(0)),
        in.readLong(i.operand(1), i.type()),
        in.zero(),
        (d, a, r, b, out, o) -> {
          for (int l = 0; l < WARP; l++) {
            long x = d[a + l];
            out[o + l] =
                switch (root) {
                  case "popc" -> Long.bitCount(x);
                  case "clz" -> Long.numberOfLeadingZeros(x);
                  default -> bfind(signed && x < 0 ? ~x : x, shift);
                };
          }
        });
  }

  private static int bfind(long a, boolean shiftAmount) {
    if (a == 0) {
      return -1;
    }
    int zeros = Long.numberOfLeadingZeros(a);
    return shiftAmount ? zeros : 63 - zeros;
  }

  /** dp4a.atype.btype d, a, b, c: four byte products added to c. */
  private static Op.Action dp4a(Decoder in, Insn i) {
    boolean signedA = i.types().get(0).isSigned();
    boolean signedB = i.types().get(1).isSigned();
    return in.ints(
        i,
        PtxType.B32,
        Lanes.each(
            (a, b, c) -> {
              int sum = c;
              for (int k = 0; k < 32; k += 8) {
                int x = signedA ? (byte) (a >>> k) : a >>> k & 0xff;
                int y = signedB ? (byte) (b >>> k) : b >>> k & 0xff;
                sum += x * y;
              }
              return sum;
            }));
  }
}
