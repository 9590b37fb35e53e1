package org.sinkq.cuda.ptx;

/** mbarrier.init, inval, arrive, arrive_drop, expect_tx, complete_tx, test_wait and try_wait. */
final class MbarrierOps {
  private MbarrierOps() {}

  /** Decodes, or returns null where the opcode is another family's. */
  static Op.Action decode(Decoder in, Insn i) {
    if (!i.root().equals("mbarrier") || i.has("shared::cluster")) {
      return null;
    }
    return switch (i.parts().getFirst()) {
      case "init" -> {
        AddressRead address = AddressRead.of(in, i.operand(0), "shared");
        int count = in.readInt(i.operand(1), PtxType.U32);
        yield each(
            (w, lane) ->
                w.block().mbarriers().init(w, lane, address.of(w, lane), w.r[count + lane]));
      }
      case "inval" -> {
        AddressRead address = AddressRead.of(in, i.operand(0), "shared");
        yield each((w, lane) -> w.block().mbarriers().invalidate(w, lane, address.of(w, lane)));
      }
      case "expect_tx" -> {
        AddressRead address = AddressRead.of(in, i.operand(0), "shared");
        int bytes = in.readInt(i.operand(1), PtxType.U32);
        yield each((w, lane) -> at(w, lane, address).expectBytes(w.r[bytes + lane]));
      }
      case "complete_tx" -> {
        AddressRead address = AddressRead.of(in, i.operand(0), "shared");
        int bytes = in.readInt(i.operand(1), PtxType.U32);
        yield each((w, lane) -> at(w, lane, address).expectBytes(-w.r[bytes + lane]));
      }
      case "arrive", "arrive_drop" -> arrive(in, i);
      case "test_wait", "try_wait" -> test(in, i);
      default -> null;
    };
  }

  private static Mbarrier at(Warp w, int lane, AddressRead address) {
    return w.block().mbarriers().at(w, lane, address.of(w, lane));
  }

  private static Op.Action arrive(Decoder in, Insn i) {
    boolean hasState = !(i.operand(0) instanceof Operand.Address);
    int state = hasState ? in.writeLong(i.operand(0)) : -1;
    int first = hasState ? 1 : 0;
    AddressRead address = AddressRead.of(in, i.operand(first), "shared");
    boolean drop = i.parts().getFirst().equals("arrive_drop");
    boolean expect = i.has("expect_tx");
    int extra =
        in.readInt(
            i.operands() > first + 1 ? i.operand(first + 1) : new Operand.IntLiteral(1),
            PtxType.U32);
    return each(
        (w, lane) -> {
          Mbarrier mbarrier = at(w, lane, address);
          int value = w.r[extra + lane];
          if (expect) {
            mbarrier.expectBytes(value);
          }
          if (state >= 0) {
            w.d[state + lane] = mbarrier.state();
          }
          int count = expect ? 1 : value;
          if (drop) {
            mbarrier.drop(count);
          }
          mbarrier.arrive(w, lane, count);
        });
  }

  private static Op.Action test(Decoder in, Insn i) {
    int result = in.predicate(i.operand(0));
    AddressRead address = AddressRead.of(in, i.operand(1), "shared");
    boolean parity = i.has("parity");
    int expected =
        parity ? in.readInt(i.operand(2), PtxType.U32) : in.readLong(i.operand(2), PtxType.B64);
    return (w, mask) -> {
      int ended = 0;
      for (int m = mask; m != 0; m &= m - 1) {
        int lane = Integer.numberOfTrailingZeros(m);
        Mbarrier mbarrier = at(w, lane, address);
        boolean done =
            parity
                ? mbarrier.testParity(w, lane, w.r[expected + lane])
                : mbarrier.test(w, lane, (int) w.d[expected + lane]);
        ended |= done ? 1 << lane : 0;
      }
      w.keepPredicate(result, mask, ended);
      if (ended != mask) {
        w.yieldSlice();
      }
    };
  }

  /** What one lane does. */
  @FunctionalInterface
  interface LaneAction {
    void run(Warp warp, int lane);
  }

  static Op.Action each(LaneAction action) {
    return (w, mask) -> {
      for (int m = mask; m != 0; m &= m - 1) {
        action.run(w, Integer.numberOfTrailingZeros(m));
      }
    };
  }
}
