package org.sinkq.cuda.ptx;

/** bar and barrier (sync, arrive, red), bar.warp.sync, and fences. */
final class BarrierOps {
  private BarrierOps() {}

  /** Decodes, or returns null where the opcode is another family's. */
  static Op.Action decode(Decoder in, Insn i) {
    if (i.starts("bar.warp.sync")) {
      int members = in.readInt(i.operand(0), PtxType.B32);
      return (w, mask) -> w.warpBarrier(mask, w.r[members + Integer.numberOfTrailingZeros(mask)]);
    }
    return switch (i.root()) {
      // Memory is sequentially consistent here: a fence has nothing to do.
      case "membar", "fence" -> (w, mask) -> {};
      case "bar", "barrier" -> block(in, i);
      default -> null;
    };
  }

  private static Op.Action block(Decoder in, Insn i) {
    boolean aligned = i.root().equals("bar") || i.has("aligned");
    if (i.has("cluster")) {
      return null;
    }
    if (i.has("sync") || i.has("arrive")) {
      int id = in.readInt(i.operand(0), PtxType.U32);
      int threads = i.operands() > 1 ? in.readInt(i.operand(1), PtxType.U32) : in.zero();
      BlockBarrier.Completion wake = i.has("sync") ? (count, all) -> {} : null;
      return (w, mask) -> {
        if (!aligned || w.converged(mask, w.live())) {
          int lane = Integer.numberOfTrailingZeros(mask);
          w.block().barrier(w.r[id + lane]).arrive(w, mask, w.r[threads + lane], 0, wake);
        }
      };
    }
    return i.has("red") ? reduction(in, i, aligned) : null;
  }

  private static Op.Action reduction(Decoder in, Insn i, boolean aligned) {
    boolean popc = i.has("popc");
    int result = popc ? in.writeInt(i.operand(0)) : in.predicate(i.operand(0));
    int id = in.readInt(i.operand(1), PtxType.U32);
    boolean counted = i.operands() > 3;
    int threads = counted ? in.readInt(i.operand(2), PtxType.U32) : in.zero();
    Decoder.PredicateRead predicate = in.readPredicate(i.operand(counted ? 3 : 2));
    boolean and = i.has("and");
    return (w, mask) -> {
      if (aligned && !w.converged(mask, w.live())) {
        return;
      }
      int lane = Integer.numberOfTrailingZeros(mask);
      BlockBarrier.Completion completion =
          (count, all) -> {
            if (popc) {
              java.util.Arrays.fill(w.ints, count);
              w.keepInts(result, mask);
            } else {
              w.keepPredicate(result, mask, (and ? count == all : count > 0) ? -1 : 0);
            }
          };
      w.block()
          .barrier(w.r[id + lane])
          .arrive(w, mask, w.r[threads + lane], predicate.of(w), completion);
    };
  }
}
