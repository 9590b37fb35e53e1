package org.sinkq.cuda.ptx;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Comparator;
import java.util.List;
import java.util.Set;

/**
 * Lets registers of a function share slots where they are not needed at the same time. nvcc gives
 * every value a register of its own, thousands in a large kernel; a warp's registers should fit the
 * processor's caches.
 *
 * <p>Liveness by blocks, then one interval of instructions per register, then a scan over the
 * intervals. Diverged lanes do no harm: a slot holds 32 values, and each lane follows the control
 * flow that the liveness was computed for.
 */
final class RegisterAllocation {
  /** Opcodes whose first operand is written without being read. */
  private static final Set<String> WRITES =
      Set.of(
          "mov",
          "add",
          "sub",
          "mul",
          "mad",
          "fma",
          "cvt",
          "ld",
          "selp",
          "setp",
          "shl",
          "shr",
          "and",
          "or",
          "xor",
          "not",
          "lop3",
          "prmt",
          "shfl",
          "mma",
          "min",
          "max",
          "ex2",
          "rcp",
          "div",
          "rem",
          "neg",
          "abs",
          "cvta",
          "bfe",
          "bfi",
          "shf",
          "ldmatrix",
          "movmatrix",
          "popc",
          "clz",
          "vote",
          "atom",
          "sqrt",
          "set",
          "lg2");

  private final PtxFunction function;
  private final List<BitSet> reads = new ArrayList<>();
  private final List<BitSet> writes = new ArrayList<>();
  private final BitSet leaders = new BitSet();

  private RegisterAllocation(PtxFunction function) {
    this.function = function;
  }

  /**
   * Returns for each register the number of its slot among those of its kind (predicate, 32 bits,
   * 64 bits), -1 for one that is never used.
   */
  static int[] allocate(PtxFunction function) {
    RegisterAllocation allocation = new RegisterAllocation(function);
    allocation.scanOperands();
    return allocation.assign(allocation.intervals());
  }

  private void scanOperands() {
    leaders.set(0);
    function.labels().values().forEach(leaders::set);
    int index = 0;
    for (PtxInstruction insn : function.code()) {
      BitSet read = new BitSet();
      BitSet written = new BitSet();
      String root = new Insn(insn).root();
      boolean defines = WRITES.contains(root) && insn.guard() == null;
      for (int k = 0; k < insn.operands().size(); k++) {
        collect(insn.operands().get(k), k == 0 && defines ? written : read);
      }
      if (insn.guard() != null) {
        read.set(insn.guard().id());
      }
      reads.add(read);
      writes.add(written);
      index++;
      if (isJump(root)) {
        leaders.set(index);
      }
    }
  }

  private static boolean isJump(String root) {
    return root.equals("bra") || root.equals("brx") || root.equals("ret") || root.equals("exit");
  }

  private static void collect(Operand operand, BitSet into) {
    switch (operand) {
      case Operand.Register r -> into.set(r.id());
      case Operand.Not n -> into.set(n.register().id());
      case Operand.Pair p -> {
        collect(p.first(), into);
        collect(p.second(), into);
      }
      case Operand.Group g -> g.items().forEach(item -> collect(item, into));
      case Operand.Address a -> collect(a.base(), into);
      default -> {
        // No register.
      }
    }
  }

  /** First and last instruction at which each register holds a value that is still needed. */
  private int[][] intervals() {
    int size = function.code().size();
    int[] starts = leaders.stream().filter(i -> i < size).toArray();
    int blocks = starts.length;
    BitSet[] liveIn = new BitSet[blocks];
    BitSet[] liveOut = new BitSet[blocks];
    for (int b = 0; b < blocks; b++) {
      liveIn[b] = new BitSet();
      liveOut[b] = new BitSet();
    }
    boolean changed = true;
    while (changed) {
      changed = false;
      for (int b = blocks - 1; b >= 0; b--) {
        int end = b + 1 < blocks ? starts[b + 1] : size;
        for (int next : successors(end - 1)) {
          if (next < size) {
            liveOut[b].or(liveIn[Arrays.binarySearch(starts, next)]);
          }
        }
        BitSet live = (BitSet) liveOut[b].clone();
        for (int i = end - 1; i >= starts[b]; i--) {
          live.andNot(writes.get(i));
          live.or(reads.get(i));
        }
        if (!live.equals(liveIn[b])) {
          liveIn[b] = live;
          changed = true;
        }
      }
    }
    int[][] range = new int[function.registers().size()][];
    for (int b = 0; b < blocks; b++) {
      int start = starts[b];
      int end = b + 1 < blocks ? starts[b + 1] : size;
      liveIn[b].stream().forEach(r -> extend(range, r, start));
      liveOut[b].stream().forEach(r -> extend(range, r, end));
    }
    for (int i = 0; i < size; i++) {
      int at = i;
      reads.get(i).stream().forEach(r -> extend(range, r, at));
      writes.get(i).stream().forEach(r -> extend(range, r, at));
    }
    return range;
  }

  private static void extend(int[][] range, int register, int at) {
    if (range[register] == null) {
      range[register] = new int[] {at, at};
    }
    range[register][0] = Math.min(range[register][0], at);
    range[register][1] = Math.max(range[register][1], at);
  }

  /** The instructions that may follow one. */
  private List<Integer> successors(int index) {
    PtxInstruction insn = function.code().get(index);
    String root = new Insn(insn).root();
    List<Integer> next = new ArrayList<>();
    boolean jumps = isJump(root);
    if (!jumps || insn.guard() != null) {
      next.add(index + 1);
    }
    if (root.equals("bra") && insn.operands().getFirst() instanceof Operand.Name(String label)) {
      next.add(function.labels().getOrDefault(label, index + 1));
    } else if (root.equals("brx")
        && insn.operands().getLast() instanceof Operand.Name(String list)) {
      function
          .branchTargets()
          .getOrDefault(list, List.of())
          .forEach(label -> next.add(function.labels().get(label)));
    }
    return next;
  }

  private int[] assign(int[][] range) {
    Integer[] order = new Integer[range.length];
    Arrays.setAll(order, i -> i);
    Integer[] used = Arrays.stream(order).filter(r -> range[r] != null).toArray(Integer[]::new);
    Arrays.sort(used, Comparator.comparingInt(r -> range[r][0]));
    int[] slot = new int[range.length];
    Arrays.fill(slot, -1);
    // When each slot of each kind becomes free.
    List<List<Integer>> freeFrom = List.of(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
    for (int register : used) {
      List<Integer> ends = freeFrom.get(kind(function.registers().get(register)));
      int chosen = 0;
      while (chosen < ends.size() && ends.get(chosen) >= range[register][0]) {
        chosen++;
      }
      if (chosen == ends.size()) {
        ends.add(0);
      }
      ends.set(chosen, range[register][1]);
      slot[register] = chosen;
    }
    return slot;
  }

  /** Which of the three files a register lives in. */
  static int kind(PtxType type) {
    return type == PtxType.PRED ? 0 : type.isLong() ? 2 : 1;
  }
}
