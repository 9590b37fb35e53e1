package org.sinkq.cuda.ptx;

import java.util.random.RandomGenerator;

/**
 * 32 threads. Those at the same instruction form a group; one group runs at a time. The group at
 * the lowest pc runs first, and groups merge where they meet, which reconverges structured code at
 * the earliest point; now and then the scheduler has another group run ahead, as the machine may.
 *
 * <p>A group that reaches an instruction which needs lanes of other groups is parked until they
 * come.
 */
final class Warp {
  private static final int NO_GROUP = Integer.MAX_VALUE;

  /** Why a group does not run. */
  private enum Parked {
    NO,
    /** For lanes of its own warp. */
    LANES,
    /** At a barrier of the block. */
    BARRIER
  }

  /** The 32-bit registers, 32 lanes each; narrower values are zero-extended. */
  final int[] r;

  /** The 64-bit registers. */
  final long[] d;

  /** The predicates, a bit a lane. */
  final int[] p;

  /** The carry flag, a bit a lane. */
  int carry;

  /** Results of lanes that may not all be kept. */
  final int[] ints = new int[Lanes.WARP];

  final long[] longs = new long[Lanes.WARP];

  /** Addresses of the instruction under way. */
  final long[] addresses = new long[Lanes.WARP];

  /** Where the instruction under way jumps to; behind it, unless it says otherwise. */
  int pc;

  private final Block block;
  private final int index;
  private final Program program;
  private final Op[] code;
  private final LocalSpace local;
  private final GenericSpace generic = new GenericSpace();
  private final CopyQueue copies;

  private int at;
  private int active;
  private int live;
  private int nextPc = NO_GROUP;
  private boolean endSlice;

  private final int[] groupPc = new int[Lanes.WARP];
  private final int[] groupMask = new int[Lanes.WARP];
  private final Parked[] groupParked = new Parked[Lanes.WARP];
  private int groups;

  Warp(Block block, int index) {
    this.block = block;
    this.index = index;
    program = block.grid().program();
    code = program.code();
    r = new int[program.ints()];
    d = new long[program.longs()];
    p = new int[program.predicates()];
    local = new LocalSpace(program.localBytes());
    copies = new CopyQueue(this, block.grid().random());
    program.intConstants().forEach((to, value) -> java.util.Arrays.fill(r, to, to + 32, value));
    program.longConstants().forEach((to, value) -> java.util.Arrays.fill(d, to, to + 32, value));
  }

  /** Makes the warp that of a new block; registers keep whatever they held. */
  void reset() {
    int threads = block.grid().shape().threads() - index * Lanes.WARP;
    live = threads >= Lanes.WARP ? -1 : (1 << threads) - 1;
    active = live;
    pc = 0;
    groups = 0;
    nextPc = NO_GROUP;
    copies.reset();
    program
        .specials()
        .forEach(
            (name, to) -> {
              for (int lane = 0; lane < Lanes.WARP; lane++) {
                r[to + lane] = Specials.value(name, block, index, lane);
              }
            });
    if (program.predicates() > 0) {
      java.util.Arrays.fill(p, 0);
    }
  }

  Block block() {
    return block;
  }

  int index() {
    return index;
  }

  CopyQueue copies() {
    return copies;
  }

  /** Lanes that have not exited. */
  int live() {
    return live;
  }

  /** Whether some group can run. */
  boolean runnable() {
    return active != 0;
  }

  /** Line of the instruction under way. */
  int line() {
    return code[at].line();
  }

  Space space(String name) {
    return switch (name) {
      case "shared" -> block.shared();
      case "local" -> local;
      case "param" -> block.grid().params();
      default -> block.grid().memory();
    };
  }

  GenericSpace generic() {
    return generic;
  }

  LocalSpace local() {
    return local;
  }

  void keepInts(int dst, int mask) {
    if (mask == -1) {
      System.arraycopy(ints, 0, r, dst, Lanes.WARP);
      return;
    }
    for (int m = mask; m != 0; m &= m - 1) {
      int lane = Integer.numberOfTrailingZeros(m);
      r[dst + lane] = ints[lane];
    }
  }

  void keepLongs(int dst, int mask) {
    if (mask == -1) {
      System.arraycopy(longs, 0, d, dst, Lanes.WARP);
      return;
    }
    for (int m = mask; m != 0; m &= m - 1) {
      int lane = Integer.numberOfTrailingZeros(m);
      d[dst + lane] = longs[lane];
    }
  }

  void keepPredicate(int dst, int mask, int bits) {
    p[dst] = (p[dst] & ~mask) | (bits & mask);
  }

  /**
   * Runs up to a number of instructions; fewer if the warp has to wait.
   *
   * @return the instructions run
   */
  int run(int budget) {
    endSlice = false;
    int left = budget;
    try {
      while (left > 0 && active != 0 && !endSlice) {
        left--;
        at = pc;
        Op op = code[at];
        int mask = active;
        if (op.guard() >= 0) {
          mask &= op.negated() ? ~p[op.guard()] : p[op.guard()];
        }
        pc = at + 1;
        if (mask != 0) {
          op.action().run(this, mask);
        }
        if (pc >= nextPc && active != 0) {
          regroup();
        }
      }
    } catch (Fault fault) {
      throw report(fault);
    }
    return budget - left;
  }

  private KernelFault report(Fault fault) {
    return new KernelFault(
        fault.kind,
        "kernel=%s line=%d '%s' block=%s warp=%d lane=%s: %s"
            .formatted(
                program.name(),
                line(),
                code[at].text(),
                block,
                index,
                fault.lane < 0 ? Fault.lanes(active) : fault.lane,
                fault.getMessage()));
  }

  /** Ends the slice: the warp waits for others in a loop. */
  void yieldSlice() {
    endSlice = true;
  }

  // Control flow.

  /** Sends lanes to a target. */
  void branch(int mask, int target) {
    if (mask == active) {
      pc = target;
      return;
    }
    push(target, mask, Parked.NO);
    active &= ~mask;
    regroup();
  }

  /** Sends some lanes to a target while the others stay with the instruction. */
  void split(int mask, int target) {
    push(target, mask, Parked.NO);
    active &= ~mask;
    nextPc = Math.min(nextPc, target);
  }

  void exit(int mask) {
    live &= ~mask;
    active &= ~mask;
    block.grid().progress();
    for (int g = 0; g < groups; g++) {
      // Fewer lanes are left to wait for: those that do look again.
      groupParked[g] = groupParked[g] == Parked.LANES ? Parked.NO : groupParked[g];
    }
    if (active == 0) {
      pick();
    } else {
      regroup();
    }
    if (live == 0) {
      copies.landAll();
      block.warpDone();
    } else {
      block.recheckBarriers();
    }
  }

  private void push(int target, int mask, Parked parked) {
    groupPc[groups] = target;
    groupMask[groups] = mask;
    groupParked[groups++] = parked;
  }

  private void remove(int group) {
    groups--;
    groupPc[group] = groupPc[groups];
    groupMask[group] = groupMask[groups];
    groupParked[group] = groupParked[groups];
  }

  private void regroup() {
    push(pc, active, Parked.NO);
    pick();
  }

  /** Goes on with the group at the lowest pc. */
  private void pick() {
    int best = NO_GROUP;
    for (int g = 0; g < groups; g++) {
      if (groupParked[g] == Parked.NO) {
        best = Math.min(best, groupPc[g]);
      }
    }
    start(best);
    nextPc = NO_GROUP;
    for (int g = 0; g < groups; g++) {
      if (groupParked[g] == Parked.NO) {
        nextPc = Math.min(nextPc, groupPc[g]);
      }
    }
    if (active == 0 && groups > 0) {
      checkStuck();
    }
  }

  private void start(int target) {
    active = 0;
    for (int g = groups - 1; g >= 0; g--) {
      if (groupParked[g] == Parked.NO && groupPc[g] == target) {
        active |= groupMask[g];
        remove(g);
      }
    }
    pc = target;
  }

  /** Has another group run ahead, if there is one. */
  void shuffleGroups(RandomGenerator random) {
    if (active == 0 || nextPc == NO_GROUP) {
      return;
    }
    push(pc, active, Parked.NO);
    int ready = 0;
    for (int g = 0; g < groups; g++) {
      ready += groupParked[g] == Parked.NO ? 1 : 0;
    }
    int choice = random.nextInt(ready);
    for (int g = 0; g < groups; g++) {
      if (groupParked[g] == Parked.NO && choice-- == 0) {
        start(groupPc[g]);
        break;
      }
    }
    nextPc = NO_GROUP;
  }

  /** Merges the groups again that {@link #shuffleGroups} let run ahead. */
  void orderGroups() {
    if (active != 0 && groups > 0) {
      regroup();
    }
  }

  // Waiting for lanes of the same warp.

  /**
   * Whether the lanes that an instruction needs are here. If not, those at hand wait, or run the
   * instruction again after a merge; the caller returns at once.
   *
   * @param mask lanes that run the instruction
   * @param members lanes that the instruction names
   */
  boolean converged(int mask, int members) {
    if ((mask & ~members) != 0) {
      throw new Fault(
          Fault.Kind.DIVERGENCE,
          Integer.numberOfTrailingZeros(mask & ~members),
          "lane is not in membermask=" + Fault.hex(members & 0xffffffffL));
    }
    int need = members & live;
    if ((mask & need) == need) {
      return true;
    }
    boolean merged = false;
    for (int g = groups - 1; g >= 0; g--) {
      if (groupPc[g] == at && groupParked[g] != Parked.BARRIER) {
        active |= groupMask[g];
        remove(g);
        merged = true;
      }
    }
    pc = at;
    if (!merged) {
      if ((active & need) == need) {
        throw missing(need & ~mask, "does not run it: its guard is false");
      }
      push(at, active, Parked.LANES);
      pick();
    }
    return false;
  }

  /** bar.warp.sync: lanes may wait at different ones. */
  boolean warpBarrier(int mask, int members) {
    int need = members & live;
    int here = mask;
    for (int g = 0; g < groups; g++) {
      if (waitsFor(g, members)) {
        here |= groupMask[g];
      }
    }
    if ((here & need) != need) {
      return converged(mask, members);
    }
    block.clocks().synchroniseLanes(this, here);
    for (int g = 0; g < groups; g++) {
      if (waitsFor(g, members)) {
        groupParked[g] = Parked.NO;
        groupPc[g]++;
      }
    }
    regroup();
    return true;
  }

  /** Whether a group waits at a barrier of lanes of a mask. */
  private boolean waitsFor(int group, int members) {
    return groupParked[group] == Parked.LANES
        && (groupMask[group] & members) != 0
        && isWarpBarrier(groupPc[group]);
  }

  private boolean isWarpBarrier(int index) {
    return code[index].text().startsWith("bar.warp.sync");
  }

  private Fault missing(int lanes, String why) {
    return new Fault(
        Fault.Kind.DIVERGENCE,
        -1,
        "lanes %s are missing, lane %d %s"
            .formatted(Fault.lanes(lanes), Integer.numberOfTrailingZeros(lanes), why));
  }

  /** No group can run: unless one waits for other warps, none ever will. */
  private void checkStuck() {
    int waiting = -1;
    for (int g = 0; g < groups; g++) {
      if (groupParked[g] == Parked.BARRIER) {
        return;
      }
      if (waiting < 0 || groupPc[g] < groupPc[waiting]) {
        waiting = g;
      }
    }
    at = groupPc[waiting];
    active = groupMask[waiting];
    int lanes = live & ~active;
    int other = lanes == 0 ? 0 : Integer.numberOfTrailingZeros(lanes);
    throw missing(lanes, "waits at line " + lineOf(other));
  }

  private int lineOf(int lane) {
    for (int g = 0; g < groups; g++) {
      if ((groupMask[g] >>> lane & 1) != 0) {
        return code[groupPc[g]].line();
      }
    }
    return line();
  }

  // Waiting for other warps.

  /** Parks the running group at a barrier, behind which it goes on. */
  void parkAtBarrier() {
    push(pc, active, Parked.BARRIER);
    pick();
  }

  /** Lets lanes go on that wait at a barrier. */
  void unpark(int mask) {
    for (int g = groups - 1; g >= 0; g--) {
      if (groupParked[g] == Parked.BARRIER && (groupMask[g] & mask) != 0) {
        groupParked[g] = Parked.NO;
      }
    }
    if (active != 0) {
      regroup();
    } else {
      pick();
    }
  }

  /** Where the warp's lanes are, for a report. */
  String where() {
    StringBuilder text = new StringBuilder();
    if (active != 0) {
      text.append("lanes ").append(Fault.lanes(active)).append(" at line ").append(line());
    }
    for (int g = 0; g < groups; g++) {
      boolean barrier = groupParked[g] == Parked.BARRIER;
      Op op = code[barrier ? groupPc[g] - 1 : groupPc[g]];
      text.append(text.isEmpty() ? "" : ", ")
          .append("lanes ")
          .append(Fault.lanes(groupMask[g]))
          .append(groupParked[g] == Parked.NO ? " at line " : " wait at line ")
          .append(op.line())
          .append(" '")
          .append(op.text())
          .append('\'');
    }
    return text.toString();
  }
}
