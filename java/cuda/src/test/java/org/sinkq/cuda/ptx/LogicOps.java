package org.sinkq.cuda.ptx;

import static org.sinkq.cuda.ptx.Lanes.WARP;

/** and, or, xor, not, cnot, lop3, shl, shr, shf, prmt, bfe, bfi: on registers and predicates. */
final class LogicOps {
  private LogicOps() {}

  /** Decodes, or returns null where the opcode is another family's. */
  static Op.Action decode(Decoder in, Insn i) {
    PtxType type = i.type();
    return switch (i.root()) {
      case "and", "or", "xor", "not", "cnot" ->
          type == PtxType.PRED
              ? predicates(in, i)
              : type.isLong() ? in.longs(i, type, longs(i.root())) : bits(in, i);
      case "lop3" -> type == PtxType.B32 && i.parts().size() == 1 ? lop3(in, i) : null;
      case "shl", "shr" -> shift(in, i);
      case "shf" -> funnel(in, i);
      case "prmt" -> permute(in, i);
      case "bfe" -> type.isLong() ? extractLong(in, i) : extract(in, i);
      case "bfi" -> type.isLong() ? insertLong(in, i) : insert(in, i);
      default -> null;
    };
  }

  private static Op.Action bits(Decoder in, Insn i) {
    int mask = i.type().bytes == 2 ? 0xffff : -1;
    Lanes.Ints f =
        switch (i.root()) {
          case "and" ->
              (r, a, b, c, out, o) -> {
                for (int l = 0; l < WARP; l++) {
                  out[o + l] = r[a + l] & r[b + l];
                }
              };
          case "or" ->
              (r, a, b, c, out, o) -> {
                for (int l = 0; l < WARP; l++) {
                  out[o + l] = r[a + l] | r[b + l];
                }
              };
          case "xor" ->
              (r, a, b, c, out, o) -> {
                for (int l = 0; l < WARP; l++) {
                  out[o + l] = r[a + l] ^ r[b + l];
                }
              };
          case "not" -> Lanes.each((a, b, c) -> ~a & mask);
          default -> Lanes.each((a, b, c) -> a == 0 ? 1 : 0);
        };
    return in.ints(i, i.type(), f);
  }

  private static Lanes.Longs longs(String root) {
    return switch (root) {
      case "and" -> Lanes.eachLong((a, b, c) -> a & b);
      case "or" -> Lanes.eachLong((a, b, c) -> a | b);
      case "xor" -> Lanes.eachLong((a, b, c) -> a ^ b);
      case "not" -> Lanes.eachLong((a, b, c) -> ~a);
      default -> Lanes.eachLong((a, b, c) -> a == 0 ? 1 : 0);
    };
  }

  private static Op.Action predicates(Decoder in, Insn i) {
    int dst = in.predicate(i.operand(0));
    Decoder.PredicateRead a = in.readPredicate(i.operand(1));
    Decoder.PredicateRead b = i.operands() > 2 ? in.readPredicate(i.operand(2)) : a;
    String root = i.root();
    return (w, mask) ->
        w.keepPredicate(
            dst,
            mask,
            switch (root) {
              case "and" -> a.of(w) & b.of(w);
              case "or" -> a.of(w) | b.of(w);
              case "xor" -> a.of(w) ^ b.of(w);
              default -> ~a.of(w);
            });
  }

  /** Any function of three bits, its truth table in the immediate. */
  private static Op.Action lop3(Decoder in, Insn i) {
    int table = (int) ((Operand.IntLiteral) i.operand(4)).value();
    int[] s = new int[3];
    for (int k = 0; k < 3; k++) {
      s[k] = in.readInt(i.operand(k + 1), PtxType.B32);
    }
    Lanes.Ints f =
        switch (table) {
          // The two that dequantization lives on.
          case 0xEA ->
              (r, a, b, c, out, o) -> {
                for (int l = 0; l < WARP; l++) {
                  out[o + l] = (r[a + l] & r[b + l]) | r[c + l];
                }
              };
          case 0x80 ->
              (r, a, b, c, out, o) -> {
                for (int l = 0; l < WARP; l++) {
                  out[o + l] = r[a + l] & r[b + l] & r[c + l];
                }
              };
          default -> Lanes.each((a, b, c) -> lop3(a, b, c, table));
        };
    return Lanes.ints(in.writeInt(i.operand(0)), s[0], s[1], s[2], f);
  }

  static int lop3(int a, int b, int c, int table) {
    int result = 0;
    for (int row = 0; row < 8; row++) {
      if ((table >>> row & 1) != 0) {
        result |= ((row & 4) != 0 ? a : ~a) & ((row & 2) != 0 ? b : ~b) & ((row & 1) != 0 ? c : ~c);
      }
    }
    return result;
  }

  private static Op.Action shift(Decoder in, Insn i) {
    PtxType type = i.type();
    boolean left = i.root().equals("shl");
    boolean signed = type.isSigned();
    if (type.isLong()) {
      int dst = in.writeLong(i.operand(0));
      int a = in.readLong(i.operand(1), type);
      int b = in.readInt(i.operand(2), PtxType.U32);
      return (w, mask) -> {
        for (int l = 0; l < WARP; l++) {
          w.longs[l] = shift(w.d[a + l], w.r[b + l], left, signed);
        }
        w.keepLongs(dst, mask);
      };
    }
    int[] s = {in.readInt(i.operand(1), type), in.readInt(i.operand(2), PtxType.U32)};
    Lanes.Ints f;
    if (type.bytes == 2) {
      f =
          Lanes.each(
              (a, b, c) ->
                  (int) shift(signed ? (short) a : a & 0xffff, Math.min(b & 0xffffffffL, 64), left)
                      & 0xffff);
    } else if (left) {
      f =
          (r, a, b, c, out, o) -> {
            for (int l = 0; l < WARP; l++) {
              int n = r[b + l];
              out[o + l] = (n & ~31) == 0 ? r[a + l] << n : 0;
            }
          };
    } else if (signed) {
      f =
          (r, a, b, c, out, o) -> {
            for (int l = 0; l < WARP; l++) {
              int n = r[b + l];
              out[o + l] = r[a + l] >> ((n & ~31) == 0 ? n : 31);
            }
          };
    } else {
      f =
          (r, a, b, c, out, o) -> {
            for (int l = 0; l < WARP; l++) {
              int n = r[b + l];
              out[o + l] = (n & ~31) == 0 ? r[a + l] >>> n : 0;
            }
          };
    }
    return Lanes.ints(in.writeInt(i.operand(0)), s[0], s[1], in.zero(), f);
  }

  /** Shifts a value that has been extended to 64 bits already. */
  private static long shift(long x, long amount, boolean left) {
    int n = (int) Math.min(amount, 63);
    return left ? (amount > 63 ? 0 : x << n) : x >> n;
  }

  private static long shift(long x, int amount, boolean left, boolean signed) {
    if ((amount & ~63) != 0) {
      return !left && signed ? x >> 63 : 0;
    }
    return left ? x << amount : signed ? x >> amount : x >>> amount;
  }

  private static Op.Action funnel(Decoder in, Insn i) {
    boolean left = i.has("l");
    boolean wrap = i.has("wrap");
    return in.ints(
        i,
        PtxType.B32,
        Lanes.each(
            (a, b, c) -> {
              int n = wrap ? c & 31 : (int) Math.min(c & 0xffffffffL, 32);
              long pair = (long) b << 32 | (a & 0xffffffffL);
              // A left shift by 32 gives a, a right shift by 32 gives b.
              return left ? (int) (n == 32 ? pair : pair << n >>> 32) : (int) (pair >>> n);
            }));
  }

  private static Op.Action permute(Decoder in, Insn i) {
    if (i.parts().size() > 1) {
      return null;
    }
    return in.ints(
        i,
        PtxType.B32,
        (r, a, b, c, out, o) -> {
          for (int l = 0; l < WARP; l++) {
            out[o + l] = permute(r[a + l], r[b + l], r[c + l]);
          }
        });
  }

  /** Each nibble of the selector picks a byte; its top bit replicates the byte's sign instead. */
  static int permute(int a, int b, int selector) {
    long pair = (long) b << 32 | (a & 0xffffffffL);
    int result = 0;
    for (int k = 0; k < 4; k++) {
      int nibble = selector >>> (4 * k) & 0xf;
      int value = (int) (pair >>> (8 * (nibble & 7))) & 0xff;
      if ((nibble & 8) != 0) {
        value = (value & 0x80) != 0 ? 0xff : 0;
      }
      result |= value << (8 * k);
    }
    return result;
  }

  private static Op.Action extract(Decoder in, Insn i) {
    boolean signed = i.type().isSigned();
    return in.ints(
        i,
        PtxType.B32,
        Lanes.each(
            (a, b, c) ->
                (int) extract(signed ? a : a & 0xffffffffL, b & 0xff, c & 0xff, 32, signed)));
  }

  private static Op.Action extractLong(Decoder in, Insn i) {
    boolean signed = i.type().isSigned();
    int dst = in.writeLong(i.operand(0));
    int a = in.readLong(i.operand(1), i.type());
    int b = in.readInt(i.operand(2), PtxType.U32);
    int c = in.readInt(i.operand(3), PtxType.U32);
    return (w, mask) -> {
      for (int l = 0; l < WARP; l++) {
        w.longs[l] = extract(w.d[a + l], w.r[b + l] & 0xff, w.r[c + l] & 0xff, 64, signed);
      }
      w.keepLongs(dst, mask);
    };
  }

  /** The field of {@code length} bits at {@code position}; bits above the top are its sign. */
  private static long extract(long x, int position, int length, int bits, boolean signed) {
    if (length == 0) {
      return 0;
    }
    long result = 0;
    int top = Math.min(position + length - 1, bits - 1);
    long sign = signed ? x >>> top & 1 : 0;
    for (int k = 0; k < bits; k++) {
      long bit = k < length && position + k < bits ? x >>> (position + k) & 1 : sign;
      result |= bit << k;
    }
    return result;
  }

  private static Op.Action insert(Decoder in, Insn i) {
    int[] s = new int[4];
    for (int k = 0; k < 4; k++) {
      s[k] = in.readInt(i.operand(k + 1), PtxType.B32);
    }
    int dst = in.writeInt(i.operand(0));
    return (w, mask) -> {
      for (int l = 0; l < WARP; l++) {
        long field = field(w.r[s[2] + l] & 0xff, w.r[s[3] + l] & 0xff);
        int position = Math.min(w.r[s[2] + l] & 0xff, 63);
        w.ints[l] =
            (int) ((w.r[s[1] + l] & ~field) | ((w.r[s[0] + l] & 0xffffffffL) << position & field));
      }
      w.keepInts(dst, mask);
    };
  }

  private static Op.Action insertLong(Decoder in, Insn i) {
    int a = in.readLong(i.operand(1), PtxType.B64);
    int b = in.readLong(i.operand(2), PtxType.B64);
    int c = in.readInt(i.operand(3), PtxType.U32);
    int length = in.readInt(i.operand(4), PtxType.U32);
    int dst = in.writeLong(i.operand(0));
    return (w, mask) -> {
      for (int l = 0; l < WARP; l++) {
        long field = field(w.r[c + l] & 0xff, w.r[length + l] & 0xff);
        int position = Math.min(w.r[c + l] & 0xff, 63);
        w.longs[l] = (w.d[b + l] & ~field) | (w.d[a + l] << position & field);
      }
      w.keepLongs(dst, mask);
    };
  }

  private static long field(int position, int length) {
    if (position > 63 || length == 0) {
      return 0;
    }
    return (length > 63 ? -1L : (1L << length) - 1) << position;
  }
}
