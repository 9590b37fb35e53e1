package org.sinkq.cuda.ptx;

/** add.cc, addc, sub.cc, subc, mad.cc and madc: arithmetic that hands a carry on. */
final class CarryOps {
  private CarryOps() {}

  static Op.Action decode(Decoder in, Insn i) {
    PtxType type = i.type();
    if (type.bytes < 4) {
      return null;
    }
    boolean carryIn = i.root().endsWith("c");
    boolean carryOut = i.has("cc");
    boolean subtract = i.root().startsWith("sub");
    boolean mad = i.root().startsWith("mad");
    boolean high = i.has("hi");
    boolean signed = type.isSigned();
    boolean isLong = type.isLong();
    int dst = isLong ? in.writeLong(i.operand(0)) : in.writeInt(i.operand(0));
    int a = isLong ? in.readLong(i.operand(1), type) : in.readInt(i.operand(1), type);
    int b = isLong ? in.readLong(i.operand(2), type) : in.readInt(i.operand(2), type);
    int c = !mad ? 0 : isLong ? in.readLong(i.operand(3), type) : in.readInt(i.operand(3), type);
    return (w, mask) -> {
      for (int m = mask; m != 0; m &= m - 1) {
        int l = Integer.numberOfTrailingZeros(m);
        int carry = carryIn ? w.carry >>> l & 1 : 0;
        long x = isLong ? w.d[a + l] : w.r[a + l];
        long y = isLong ? w.d[b + l] : w.r[b + l];
        if (mad) {
          x = isLong ? product(x, y, high, signed) : productInt((int) x, (int) y, high, signed);
          y = isLong ? w.d[c + l] : w.r[c + l];
        }
        boolean out;
        if (isLong) {
          long result = subtract ? x - y - carry : x + y + carry;
          // The usual majority of the top bits; a borrow is the carry of the complement.
          long top = subtract ? (~x & y) | ((~x | y) & result) : (x & y) | ((x | y) & ~result);
          out = top < 0;
          w.d[dst + l] = result;
        } else {
          long low = x & 0xffffffffL;
          long sum = subtract ? low - (y & 0xffffffffL) - carry : low + (y & 0xffffffffL) + carry;
          out = sum >>> 32 != 0;
          w.r[dst + l] = (int) sum;
        }
        if (carryOut) {
          w.carry = out ? w.carry | 1 << l : w.carry & ~(1 << l);
        }
      }
    };
  }

  private static long product(long x, long y, boolean high, boolean signed) {
    return !high ? x * y : signed ? Math.multiplyHigh(x, y) : Math.unsignedMultiplyHigh(x, y);
  }

  private static long productInt(int x, int y, boolean high, boolean signed) {
    long full = signed ? (long) x * y : (x & 0xffffffffL) * (y & 0xffffffffL);
    return high ? (int) (full >>> 32) : (int) full;
  }
}
