package org.sinkq.cuda.ptx;

/**
 * Reads an address operand.
 *
 * @param wide whether the base is a 64-bit register
 * @param base offset of the base register
 * @param offset added, in bytes
 */
record AddressRead(boolean wide, int base, long offset) {

  /**
   * Decodes {@code [base+offset]}.
   *
   * @param space in which the address is taken; shared addresses are 32-bit, though a 64-bit
   *     register may hold one
   */
  static AddressRead of(Decoder in, Operand operand, String space) {
    if (!(operand instanceof Operand.Address(Operand base, long offset))) {
      throw new IllegalArgumentException("operand=" + operand + ", expected an address");
    }
    return switch (base) {
      case Operand.Register r when !r.type().isLong() ->
          new AddressRead(false, in.readInt(r, PtxType.B32), offset);
      case Operand.Register r -> new AddressRead(true, in.readLong(r, PtxType.B64), offset);
      case Operand.Variable v when space.isEmpty() ->
          new AddressRead(
              true,
              in.readLong(new Operand.Variable(v.variable(), v.offset()), PtxType.B64),
              offset + GenericSpace.window(v.variable().space()));
      default -> new AddressRead(true, in.readLong(base, PtxType.B64), offset);
    };
  }

  /** Reads all lanes. */
  long[] all(Warp w) {
    long[] into = w.addresses;
    if (wide) {
      for (int l = 0; l < Lanes.WARP; l++) {
        into[l] = w.d[base + l] + offset;
      }
    } else {
      for (int l = 0; l < Lanes.WARP; l++) {
        into[l] = (w.r[base + l] & 0xffffffffL) + offset;
      }
    }
    return into;
  }

  long of(Warp w, int lane) {
    return (wide ? w.d[base + lane] : w.r[base + lane] & 0xffffffffL) + offset;
  }
}
