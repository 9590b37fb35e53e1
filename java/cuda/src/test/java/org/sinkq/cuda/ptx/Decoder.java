package org.sinkq.cuda.ptx;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Turns a parsed entry into a {@link Program}: registers become offsets into the warp's files,
 * literals become constant registers, labels become indices, and called functions are expanded in
 * place, their parameters aliased to the caller's.
 */
final class Decoder {
  /** Deepest expansion of calls; a recursive function would go on for ever. */
  private static final int MAX_CALL_DEPTH = 16;

  private final PtxModule module;
  private final ModuleMemory memory;
  private final Program.Builder out = new Program.Builder();
  private final Map<PtxVariable, Integer> shared = new HashMap<>();
  private Frame frame;
  private int depth;

  /** One expansion of a function: where its registers, variables and labels are. */
  private static final class Frame {
    final PtxFunction function;
    final int[] allocation;
    final List<List<Integer>> slots =
        List.of(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
    final Map<PtxVariable, Integer> locals = new HashMap<>();
    final Map<Integer, List<int[]>> fixups = new HashMap<>();

    Frame(PtxFunction function) {
      this.function = function;
      allocation = RegisterAllocation.allocate(function);
    }
  }

  private Decoder(PtxModule module, ModuleMemory memory) {
    this.module = module;
    this.memory = memory;
  }

  /**
   * Decodes an entry.
   *
   * @throws PtxSyntaxException for an instruction that the interpreter does not know
   */
  static Program decode(PtxModule module, String entry, ModuleMemory memory) {
    PtxFunction function = module.entry(entry);
    Decoder decoder = new Decoder(module, memory);
    decoder.layOutShared(module.variables());
    decoder.expand(new Frame(function));
    decoder.out.add(new Op(ControlOps.EXIT, -1, false, function.line(), "ret"));
    return decoder.out.build(entry, ParamSpace.layout(function));
  }

  private void layOutShared(List<PtxVariable> variables) {
    for (PtxVariable variable : variables) {
      if (variable.space().equals("shared") && variable.bytes() > 0) {
        shared.put(variable, out.sharedSpace(variable.bytes(), variable.align()));
      }
    }
  }

  private void expand(Frame inner) {
    if (++depth > MAX_CALL_DEPTH) {
      throw new PtxSyntaxException(inner.function.line(), "unsupported recursion");
    }
    Frame outer = frame;
    frame = inner;
    PtxFunction function = inner.function;
    layOutShared(function.variables());
    int count = function.code().size();
    int[] starts = new int[count + 1];
    for (int i = 0; i < count; i++) {
      starts[i] = out.size();
      PtxInstruction source = function.code().get(i);
      Insn insn = new Insn(source);
      if (insn.root().equals("call")) {
        call(insn);
        continue;
      }
      int guard = source.guard() == null ? -1 : predicate(source.guard());
      Op.Action action = decode(insn);
      if (action != null) {
        out.add(new Op(action, guard, source.negated(), source.line(), source.opcode()));
      }
    }
    starts[count] = out.size();
    frame.fixups.forEach((index, targets) -> targets.forEach(t -> t[0] = starts[index]));
    frame = outer;
    depth--;
  }

  private void call(Insn insn) {
    boolean returns = insn.operand(0) instanceof Operand.Group;
    if (!(insn.operand(returns ? 1 : 0) instanceof Operand.Name(String name))
        || !module.functions().containsKey(name)) {
      throw insn.unsupported();
    }
    Frame callee = new Frame(module.functions().get(name));
    alias(callee, callee.function.returns(), returns ? insn.group(0) : List.of(), insn);
    int argument = returns ? 2 : 1;
    alias(
        callee,
        callee.function.params(),
        argument < insn.operands() ? insn.group(argument) : List.of(),
        insn);
    expand(callee);
  }

  private void alias(Frame callee, List<PtxVariable> formal, List<Operand> actual, Insn insn) {
    if (formal.size() != actual.size()) {
      throw insn.unsupported();
    }
    for (int i = 0; i < formal.size(); i++) {
      if (!(actual.get(i) instanceof Operand.Variable(PtxVariable variable, long offset))) {
        throw insn.unsupported();
      }
      callee.locals.put(formal.get(i), address(variable) + (int) offset);
    }
  }

  private Op.Action decode(Insn insn) {
    Op.Action action = null;
    try {
      for (Family family : Family.ALL) {
        action = family.decode(this, insn);
        if (action != null) {
          return action;
        }
      }
    } catch (IllegalArgumentException e) {
      throw new PtxSyntaxException(
          insn.line(), "unsupported instruction '" + insn.opcode() + "' (" + e.getMessage() + ")");
    }
    throw insn.unsupported();
  }

  /** A family of instructions. */
  @FunctionalInterface
  interface Family {
    List<Family> ALL =
        List.of(
            MoveOps::decode,
            IntegerOps::decode,
            LogicOps::decode,
            FloatOps::decode,
            HalfOps::decode,
            ApproximateOps::decode,
            CompareOps::decode,
            ConvertOps::decode,
            MemoryOps::decode,
            AtomicOps::decode,
            ControlOps::decode,
            WarpOps::decode,
            BarrierOps::decode,
            AsyncOps::decode,
            MbarrierOps::decode,
            MatrixOps::decode);

    /** Decodes, or returns null where the opcode is another family's. */
    Op.Action decode(Decoder in, Insn insn);
  }

  // Control flow.

  /** Where a label is, filled in when the function is complete. */
  int[] target(Operand label, Insn insn) {
    if (!(label instanceof Operand.Name(String name))
        || !frame.function.labels().containsKey(name)) {
      throw insn.unsupported();
    }
    return fixup(frame.function.labels().get(name));
  }

  /** The targets of a {@code brx.idx}. */
  int[][] targets(Operand list, Insn insn) {
    if (!(list instanceof Operand.Name(String name))
        || !frame.function.branchTargets().containsKey(name)) {
      throw insn.unsupported();
    }
    return frame.function.branchTargets().get(name).stream()
        .map(label -> target(new Operand.Name(label), insn))
        .toArray(int[][]::new);
  }

  /** The end of the function, or null in the entry itself, where a return is an exit. */
  int[] functionEnd() {
    return frame.function.entry() ? null : fixup(frame.function.code().size());
  }

  private int[] fixup(int index) {
    int[] target = new int[1];
    frame.fixups.computeIfAbsent(index, k -> new ArrayList<>()).add(target);
    return target;
  }

  // Operands.

  int zero() {
    return out.intConstant(0);
  }

  int zeroLong() {
    return out.longConstant(0);
  }

  /** Offset of a 32-bit operand; narrower registers are zero-extended. */
  int readInt(Operand operand, PtxType type) {
    return switch (operand) {
      case Operand.Register r when !r.type().isLong() && r.type() != PtxType.PRED -> slot(r);
      case Operand.Special s -> out.special(s.name());
      case Operand.Variable v -> out.intConstant(address(v.variable()) + (int) v.offset());
      case Operand.IntLiteral l -> out.intConstant((int) Literals.bits(l, type));
      case Operand.FloatLiteral l -> out.intConstant((int) Literals.bits(l, type));
      default -> throw new IllegalArgumentException("operand=" + operand + ", expected 32 bits");
    };
  }

  /** Offset of a 64-bit operand. */
  int readLong(Operand operand, PtxType type) {
    return switch (operand) {
      case Operand.Register r when r.type().isLong() -> slot(r);
      case Operand.Variable v -> out.longConstant(longAddress(v.variable()) + v.offset());
      case Operand.IntLiteral l -> out.longConstant(Literals.bits(l, type));
      case Operand.FloatLiteral l -> out.longConstant(Literals.bits(l, type));
      default -> throw new IllegalArgumentException("operand=" + operand + ", expected 64 bits");
    };
  }

  int writeInt(Operand operand) {
    return switch (operand) {
      case Operand.Register r when !r.type().isLong() && r.type() != PtxType.PRED -> slot(r);
      case Operand.Sink s -> out.intSlot();
      default -> throw new IllegalArgumentException("operand=" + operand + ", expected a register");
    };
  }

  int writeLong(Operand operand) {
    return switch (operand) {
      case Operand.Register r when r.type().isLong() -> slot(r);
      case Operand.Sink s -> out.longSlot();
      default -> throw new IllegalArgumentException("operand=" + operand + ", expected a register");
    };
  }

  /** Index of a predicate that is read or written. */
  int predicate(Operand operand) {
    return switch (operand) {
      case Operand.Register r when r.type() == PtxType.PRED -> slot(r);
      case Operand.Sink s -> out.predicate();
      default ->
          throw new IllegalArgumentException("operand=" + operand + ", expected a predicate");
    };
  }

  /** A predicate operand, perhaps negated or a literal. */
  PredicateRead readPredicate(Operand operand) {
    return switch (operand) {
      case Operand.Not not -> new PredicateRead(predicate(not.register()), -1);
      case Operand.IntLiteral l -> new PredicateRead(out.falsePredicate(), l.value() != 0 ? -1 : 0);
      default -> new PredicateRead(predicate(operand), 0);
    };
  }

  /**
   * Reads a predicate.
   *
   * @param flip -1 where it is negated, else 0
   */
  record PredicateRead(int index, int flip) {
    int of(Warp w) {
      return w.p[index] ^ flip;
    }
  }

  static boolean isLong(Operand operand) {
    return operand instanceof Operand.Register r && r.type().isLong();
  }

  static boolean isPredicate(Operand operand) {
    return operand instanceof Operand.Register r && r.type() == PtxType.PRED;
  }

  /** A lane-wise instruction of up to three sources of one type. */
  Op.Action ints(Insn i, PtxType type, Lanes.Ints f) {
    int[] s = new int[3];
    for (int k = 0; k < 3; k++) {
      s[k] = k + 1 < i.operands() ? readInt(i.operand(k + 1), type) : zero();
    }
    return Lanes.ints(writeInt(i.operand(0)), s[0], s[1], s[2], f);
  }

  /** A lane-wise instruction of up to three 64-bit sources. */
  Op.Action longs(Insn i, PtxType type, Lanes.Longs f) {
    int[] s = new int[3];
    for (int k = 0; k < 3; k++) {
      s[k] = k + 1 < i.operands() ? readLong(i.operand(k + 1), type) : zeroLong();
    }
    return Lanes.longs(writeLong(i.operand(0)), s[0], s[1], s[2], f);
  }

  private int slot(Operand.Register register) {
    if (register.type() == PtxType.B128) {
      throw new IllegalArgumentException("128-bit registers are not supported");
    }
    int number = frame.allocation[register.id()];
    List<Integer> slots = frame.slots.get(RegisterAllocation.kind(register.type()));
    while (slots.size() <= number) {
      slots.add(
          register.type() == PtxType.PRED
              ? out.predicate()
              : register.type().isLong() ? out.longSlot() : out.intSlot());
    }
    return slots.get(number);
  }

  // Variables.

  /** Whether a variable lies in the launch's parameters rather than in a call's. */
  boolean isEntryParameter(PtxVariable variable) {
    return frame.function.entry() && frame.function.params().contains(variable);
  }

  /** Address of a shared, local or parameter variable within its space. */
  int address(PtxVariable variable) {
    return switch (variable.space()) {
      case "shared" -> variable.bytes() == 0 ? SharedSpace.DYNAMIC_BASE : shared.get(variable);
      case "param" ->
          isEntryParameter(variable)
              ? ParamSpace.offset(frame.function, variable)
              : local(variable);
      case "local" -> local(variable);
      default ->
          throw new IllegalArgumentException(
              "variable=" + variable.name() + ", expected no 64-bit address");
    };
  }

  private int local(PtxVariable variable) {
    return frame.locals.computeIfAbsent(variable, v -> out.localSpace(v.bytes(), v.align()));
  }

  private long longAddress(PtxVariable variable) {
    return switch (variable.space()) {
      case "global", "const" -> memory.address(variable);
      default -> address(variable);
    };
  }
}
