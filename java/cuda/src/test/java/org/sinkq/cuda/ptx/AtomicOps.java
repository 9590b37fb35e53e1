package org.sinkq.cuda.ptx;

/** atom and red on global, shared and generic addresses. */
final class AtomicOps {
  private AtomicOps() {}

  /** The new value from the old one and the operand, both as bits. */
  @FunctionalInterface
  interface Combine {
    long apply(long old, long operand);
  }

  /** Decodes, or returns null where the opcode is another family's. */
  static Op.Action decode(Decoder in, Insn i) {
    boolean returns = i.root().equals("atom");
    if ((!returns && !i.root().equals("red")) || i.has("async")) {
      return null;
    }
    PtxType type = i.type();
    int first = returns ? 1 : 0;
    String operation = operation(i);
    Combine f = operation.equals("cas") ? (old, x) -> x : combine(operation, type);
    if (f == null || i.operand(first + 1) instanceof Operand.Group) {
      return null;
    }
    String spaceName = MemoryOps.space(i);
    AddressRead address = AddressRead.of(in, i.operand(first), spaceName);
    boolean wide = type.isLong();
    int dst = !returns ? -1 : wide ? in.writeLong(i.operand(0)) : in.writeInt(i.operand(0));
    int a = read(in, i.operand(first + 1), type);
    int b = operation.equals("cas") ? read(in, i.operand(first + 2), type) : -1;
    int size = type.bytes;
    return (w, mask) -> {
      Space space = spaceName.isEmpty() ? w.generic() : w.space(spaceName);
      // The lanes take their turns in any order the machine likes; downwards is one.
      for (int m = mask; m != 0; ) {
        int lane = 31 - Integer.numberOfLeadingZeros(m);
        m &= ~(1 << lane);
        int at = space.locate(w, lane, address.of(w, lane), size, Space.Access.ATOMIC);
        long old = Space.read(space.bytes, at, size);
        long x = wide ? w.d[a + lane] : w.r[a + lane];
        if (b >= 0) {
          long compare = wide ? x : x & maskOf(size);
          x = compare != old ? old : wide ? w.d[b + lane] : w.r[b + lane];
        }
        long value = f.apply(old, x);
        Space.write(space.bytes, at, size, value);
        if (((value ^ old) & maskOf(size)) != 0) {
          w.block().grid().progress();
        }
        if (returns) {
          if (wide) {
            w.d[dst + lane] = old;
          } else {
            w.r[dst + lane] = (int) old;
          }
        }
      }
    };
  }

  private static long maskOf(int size) {
    return size == 8 ? -1 : (1L << (size * 8)) - 1;
  }

  private static int read(Decoder in, Operand operand, PtxType type) {
    return type.isLong() ? in.readLong(operand, type) : in.readInt(operand, type);
  }

  private static String operation(Insn i) {
    for (String part : i.parts()) {
      switch (part) {
        case "add", "min", "max", "inc", "dec", "and", "or", "xor", "exch", "cas" -> {
          return part;
        }
        default -> {
          // A space, a scope or an order.
        }
      }
    }
    return "";
  }

  /** The function of an operation on a type, or null if there is none. */
  static Combine combine(String operation, PtxType type) {
    if (type.isFloat()) {
      return operation.equals("add") ? add(type) : null;
    }
    boolean wide = type.isLong();
    boolean signed = type.isSigned();
    return switch (operation) {
      case "add" -> Long::sum;
      case "and" -> (old, x) -> old & x;
      case "or" -> (old, x) -> old | x;
      case "xor" -> (old, x) -> old ^ x;
      case "exch" -> (old, x) -> x;
      case "min" -> (old, x) -> less(old, x, wide, signed) ? old : x;
      case "max" -> (old, x) -> less(old, x, wide, signed) ? x : old;
      case "inc" -> (old, x) -> Integer.compareUnsigned((int) old, (int) x) >= 0 ? 0 : old + 1;
      case "dec" ->
          (old, x) ->
              (int) old == 0 || Integer.compareUnsigned((int) old, (int) x) > 0 ? x : old - 1;
      default -> null;
    };
  }

  private static boolean less(long a, long b, boolean wide, boolean signed) {
    if (wide) {
      return signed ? a < b : Long.compareUnsigned(a, b) < 0;
    }
    return signed ? (int) a < (int) b : Integer.compareUnsigned((int) a, (int) b) < 0;
  }

  private static Combine add(PtxType type) {
    return switch (type) {
      case F32 ->
          (old, x) ->
              Float.floatToRawIntBits(
                  Float.intBitsToFloat((int) old) + Float.intBitsToFloat((int) x));
      case F64 ->
          (old, x) ->
              Double.doubleToRawLongBits(Double.longBitsToDouble(old) + Double.longBitsToDouble(x));
      case F16, BF16 -> {
        Half f = HalfOps.format(type);
        yield (old, x) -> sum(f, (int) old, (int) x);
      }
      case F16X2, BF16X2 -> {
        Half f = HalfOps.format(type);
        yield (old, x) ->
            sum(f, (int) old, (int) x) | (long) sum(f, (int) old >>> 16, (int) x >>> 16) << 16;
      }
      default -> null;
    };
  }

  private static int sum(Half f, int a, int b) {
    return f.round(Exact.oddSum(f.value(a), f.value(b)));
  }
}
