package org.sinkq.cuda.ptx;

import java.util.ArrayList;
import java.util.List;

/** An instruction with its opcode taken apart. */
final class Insn {
  private final PtxInstruction source;
  private final String root;
  private final List<String> parts;
  private final List<PtxType> types = new ArrayList<>();

  Insn(PtxInstruction source) {
    this.source = source;
    String[] split = source.opcode().split("\\.");
    root = split[0];
    parts = List.of(split).subList(1, split.length);
    for (String part : parts) {
      PtxType type = PtxType.named(part);
      if (type != null) {
        types.add(type);
      }
    }
  }

  /** The part before the first dot. */
  String root() {
    return root;
  }

  String opcode() {
    return source.opcode();
  }

  int line() {
    return source.line();
  }

  boolean has(String part) {
    return parts.contains(part);
  }

  /** Whether the opcode begins with these parts. */
  boolean starts(String prefix) {
    return source.opcode().equals(prefix) || source.opcode().startsWith(prefix + ".");
  }

  List<String> parts() {
    return parts;
  }

  /** The types in the opcode, in order. */
  List<PtxType> types() {
    return types;
  }

  /** The last type of the opcode, which is that of the sources. */
  PtxType type() {
    return types.isEmpty() ? PtxType.B32 : types.getLast();
  }

  int operands() {
    return source.operands().size();
  }

  Operand operand(int index) {
    if (index >= source.operands().size()) {
      throw new PtxSyntaxException(line(), "missing operand of '" + opcode() + "'");
    }
    return source.operands().get(index);
  }

  List<Operand> group(int index) {
    return operand(index) instanceof Operand.Group group ? group.items() : List.of(operand(index));
  }

  PtxSyntaxException unsupported() {
    return new PtxSyntaxException(line(), "unsupported instruction '" + opcode() + "'");
  }
}
