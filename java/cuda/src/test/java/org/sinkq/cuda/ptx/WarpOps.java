package org.sinkq.cuda.ptx;

import java.util.Locale;

/** Exchange between the lanes of a warp: shfl, vote, match, redux, elect, activemask. */
final class WarpOps {
  private WarpOps() {}

  /** Decodes, or returns null where the opcode is another family's. */
  static Op.Action decode(Decoder in, Insn i) {
    if (i.root().equals("activemask")) {
      int dst = in.writeInt(i.operand(0));
      return (w, mask) -> fill(w, dst, mask, mask);
    }
    if (!i.has("sync")) {
      return null;
    }
    return switch (i.root()) {
      case "shfl" -> shuffle(in, i);
      case "vote" -> vote(in, i);
      case "match" -> match(in, i);
      case "redux" -> reduce(in, i);
      case "elect" -> elect(in, i);
      default -> null;
    };
  }

  static void fill(Warp w, int dst, int mask, int value) {
    java.util.Arrays.fill(w.ints, value);
    w.keepInts(dst, mask);
  }

  /** The lanes that an instruction names, the same for all that run it. */
  private static int members(Warp w, int mask, int operand) {
    int members = w.r[operand + Integer.numberOfTrailingZeros(mask)];
    for (int m = mask; m != 0; m &= m - 1) {
      int lane = Integer.numberOfTrailingZeros(m);
      if (w.r[operand + lane] != members) {
        throw new Fault(
            Fault.Kind.DIVERGENCE,
            lane,
            "membermask=%s, but lane %d has %s"
                .formatted(
                    Fault.hex(w.r[operand + lane] & 0xffffffffL),
                    Integer.numberOfTrailingZeros(mask),
                    Fault.hex(members & 0xffffffffL)));
      }
    }
    return members;
  }

  private static boolean here(Warp w, int mask, int operand) {
    return w.converged(mask, members(w, mask, operand));
  }

  private static Op.Action shuffle(Decoder in, Insn i) {
    boolean pair = i.operand(0) instanceof Operand.Pair;
    Operand result = pair ? ((Operand.Pair) i.operand(0)).first() : i.operand(0);
    int dst = in.writeInt(result);
    int inRange = pair ? in.predicate(((Operand.Pair) i.operand(0)).second()) : -1;
    int a = in.readInt(i.operand(1), PtxType.B32);
    int b = in.readInt(i.operand(2), PtxType.B32);
    int c = in.readInt(i.operand(3), PtxType.B32);
    int members = in.readInt(i.operand(4), PtxType.B32);
    Shuffle mode = Shuffle.valueOf(i.parts().get(1).toUpperCase(Locale.ROOT));
    return (w, mask) -> {
      if (!here(w, mask, members)) {
        return;
      }
      int valid = 0;
      for (int m = mask; m != 0; m &= m - 1) {
        int lane = Integer.numberOfTrailingZeros(m);
        int source = source(mode, lane, w.r[b + lane] & 31, w.r[c + lane]);
        if (source < 0) {
          source = lane;
        } else {
          valid |= 1 << lane;
        }
        if ((mask >>> source & 1) == 0) {
          throw new Fault(
              Fault.Kind.DIVERGENCE, lane, "reads lane " + source + ", which does not take part");
        }
        w.ints[lane] = w.r[a + source];
      }
      w.keepInts(dst, mask);
      if (inRange >= 0) {
        w.keepPredicate(inRange, mask, valid);
      }
    };
  }

  /** How a shuffle finds the lane that a lane reads. */
  private enum Shuffle {
    UP,
    DOWN,
    BFLY,
    IDX
  }

  /** The lane that a lane reads, or -1 where it is out of range. */
  private static int source(Shuffle mode, int lane, int b, int c) {
    int segment = c >> 8 & 31;
    int max = (lane & segment) | (c & 31 & ~segment);
    int min = lane & segment;
    return switch (mode) {
      case UP -> lane - b >= max ? lane - b : -1;
      case DOWN -> lane + b <= max ? lane + b : -1;
      case BFLY -> (lane ^ b) <= max ? lane ^ b : -1;
      case IDX -> (min | (b & ~segment)) <= max ? min | (b & ~segment) : -1;
    };
  }

  private static Op.Action vote(Decoder in, Insn i) {
    String mode = i.parts().get(1);
    boolean ballot = mode.equals("ballot");
    int dst = ballot ? in.writeInt(i.operand(0)) : in.predicate(i.operand(0));
    Decoder.PredicateRead predicate = in.readPredicate(i.operand(1));
    int members = in.readInt(i.operand(2), PtxType.B32);
    return (w, mask) -> {
      if (!here(w, mask, members)) {
        return;
      }
      int votes = predicate.of(w) & mask;
      if (ballot) {
        fill(w, dst, mask, votes);
        return;
      }
      boolean result =
          switch (mode) {
            case "all" -> votes == mask;
            case "any" -> votes != 0;
            default -> votes == 0 || votes == mask;
          };
      w.keepPredicate(dst, mask, result ? -1 : 0);
    };
  }

  private static Op.Action match(Decoder in, Insn i) {
    boolean all = i.has("all");
    boolean wide = i.type().isLong();
    boolean pair = i.operand(0) instanceof Operand.Pair;
    int dst = in.writeInt(pair ? ((Operand.Pair) i.operand(0)).first() : i.operand(0));
    int same = pair ? in.predicate(((Operand.Pair) i.operand(0)).second()) : -1;
    int a = wide ? in.readLong(i.operand(1), i.type()) : in.readInt(i.operand(1), i.type());
    int members = in.readInt(i.operand(2), PtxType.B32);
    return (w, mask) -> {
      if (!here(w, mask, members)) {
        return;
      }
      int agreeing = 0;
      for (int m = mask; m != 0; m &= m - 1) {
        int lane = Integer.numberOfTrailingZeros(m);
        int equal = 0;
        for (int n = mask; n != 0; n &= n - 1) {
          int other = Integer.numberOfTrailingZeros(n);
          boolean eq = wide ? w.d[a + lane] == w.d[a + other] : w.r[a + lane] == w.r[a + other];
          equal |= eq ? 1 << other : 0;
        }
        agreeing |= equal == mask ? 1 << lane : 0;
        w.ints[lane] = all && equal != mask ? 0 : equal;
      }
      w.keepInts(dst, mask);
      if (same >= 0) {
        w.keepPredicate(same, mask, agreeing == mask ? -1 : 0);
      }
    };
  }

  private static Op.Action reduce(Decoder in, Insn i) {
    int dst = in.writeInt(i.operand(0));
    int a = in.readInt(i.operand(1), i.type());
    int members = in.readInt(i.operand(2), PtxType.B32);
    AtomicOps.Combine f = AtomicOps.combine(i.parts().get(1), i.type());
    if (f == null) {
      return null;
    }
    return (w, mask) -> {
      if (!here(w, mask, members)) {
        return;
      }
      int first = Integer.numberOfTrailingZeros(mask);
      long value = w.r[a + first];
      for (int m = mask & (mask - 1); m != 0; m &= m - 1) {
        value = f.apply(value, w.r[a + Integer.numberOfTrailingZeros(m)]);
      }
      fill(w, dst, mask, (int) value);
    };
  }

  private static Op.Action elect(Decoder in, Insn i) {
    Operand.Pair pair = (Operand.Pair) i.operand(0);
    int dst = in.writeInt(pair.first());
    int elected = in.predicate(pair.second());
    int members = in.readInt(i.operand(1), PtxType.B32);
    return (w, mask) -> {
      if (here(w, mask, members)) {
        int leader = Integer.numberOfTrailingZeros(mask);
        fill(w, dst, mask, leader);
        w.keepPredicate(elected, mask, 1 << leader);
      }
    };
  }
}
