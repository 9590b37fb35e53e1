package org.sinkq.cuda.ptx;

/** bra, brx.idx, ret, exit, trap, and what only hints: pragmas of scheduling and power. */
final class ControlOps {
  /** Ends the threads. */
  static final Op.Action EXIT = (w, mask) -> w.exit(mask);

  private ControlOps() {}

  /** Decodes, or returns null where the opcode is another family's. */
  static Op.Action decode(Decoder in, Insn i) {
    return switch (i.root()) {
      case "bra" -> {
        int[] target = in.target(i.operand(0), i);
        yield (w, mask) -> w.branch(mask, target[0]);
      }
      case "brx" -> {
        int index = in.readInt(i.operand(0), PtxType.U32);
        int[][] targets = in.targets(i.operand(1), i);
        yield (w, mask) -> indexed(w, mask, index, targets);
      }
      case "ret" -> {
        int[] end = in.functionEnd();
        yield end == null ? EXIT : (w, mask) -> w.branch(mask, end[0]);
      }
      case "exit" -> EXIT;
      case "trap" ->
          (w, mask) -> {
            throw new Fault(Fault.Kind.TRAP, Integer.numberOfTrailingZeros(mask), "trap");
          };
      case "nanosleep" -> (w, mask) -> w.yieldSlice();
      case "setmaxnreg", "griddepcontrol", "pmevent" -> (w, mask) -> {};
      default -> null;
    };
  }

  private static void indexed(Warp w, int mask, int index, int[][] targets) {
    int left = mask;
    while (left != 0) {
      int lane = Integer.numberOfTrailingZeros(left);
      int choice = w.r[index + lane];
      if (choice < 0 || choice >= targets.length) {
        throw new Fault(
            Fault.Kind.ARGUMENT, lane, "index=" + choice + ", expected 0.." + (targets.length - 1));
      }
      int same = 0;
      for (int m = left; m != 0; m &= m - 1) {
        int l = Integer.numberOfTrailingZeros(m);
        same |= w.r[index + l] == choice ? 1 << l : 0;
      }
      left &= ~same;
      if (left == 0 || same == mask) {
        w.branch(same, targets[choice][0]);
      } else {
        w.split(same, targets[choice][0]);
      }
    }
  }
}
