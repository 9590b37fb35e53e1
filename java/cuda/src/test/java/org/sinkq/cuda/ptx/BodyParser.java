package org.sinkq.cuda.ptx;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads a function body and flattens its scopes: a register becomes a number, a label a unique
 * name. Inline assembly opens scopes of its own whose names hide outer ones, so names are resolved
 * here, where the scopes are known, and nowhere else.
 */
final class BodyParser {
  private final TokenCursor in;
  private final Map<String, PtxVariable> globals;
  private final Deque<Scope> scopes = new ArrayDeque<>();
  private final List<PtxType> registers = new ArrayList<>();
  private final List<PtxVariable> variables = new ArrayList<>();
  private final List<PtxInstruction> code = new ArrayList<>();
  private final Map<String, Integer> labels = new HashMap<>();
  private final Map<String, List<String>> branchTargets = new HashMap<>();
  private int scopeCount;

  /** Names that one pair of braces declares. */
  private static final class Scope {
    final Map<String, Operand.Register> registers = new HashMap<>();
    final Map<String, PtxType> ranges = new HashMap<>();
    final Map<String, PtxVariable> variables = new HashMap<>();
    final Map<String, String> labels = new HashMap<>();
  }

  BodyParser(
      TokenCursor in,
      Map<String, PtxVariable> globals,
      List<PtxVariable> params,
      List<PtxVariable> returns) {
    this.in = in;
    this.globals = globals;
    Scope outer = new Scope();
    params.forEach(p -> outer.variables.put(p.name(), p));
    returns.forEach(p -> outer.variables.put(p.name(), p));
    scopes.push(outer);
  }

  List<PtxType> registers() {
    return registers;
  }

  List<PtxVariable> variables() {
    return variables;
  }

  List<PtxInstruction> code() {
    return code;
  }

  Map<String, Integer> labels() {
    return labels;
  }

  Map<String, List<String>> branchTargets() {
    return branchTargets;
  }

  void parse() {
    in.expect("{");
    open();
    while (scopes.size() > 1) {
      statement();
    }
  }

  private void open() {
    Scope scope = new Scope();
    String suffix = scopeCount++ == 0 ? "" : "#" + scopeCount;
    int depth = 0;
    for (int i = 0; depth >= 0; i++) {
      String token = in.peek(i);
      depth += token.equals("{") ? 1 : token.equals("}") || token.equals("end of text") ? -1 : 0;
      if (depth == 0 && in.peek(i + 1).equals(":") && PtxLexer.isWordStart(token.charAt(0))) {
        scope.labels.put(token, token + suffix);
      }
    }
    scopes.push(scope);
  }

  private void statement() {
    String token = in.peek();
    switch (token) {
      case "{" -> {
        in.next();
        open();
      }
      case "}" -> {
        in.next();
        scopes.pop();
      }
      case ";" -> in.next();
      case ".reg" -> registerDeclaration();
      case ".shared", ".local", ".param", ".global", ".const" -> {
        for (PtxVariable variable : PtxParser.variables(in)) {
          variables.add(variable);
          scopes.element().variables.put(variable.name(), variable);
        }
        in.expect(";");
      }
      case ".loc", ".file" -> in.skipLine();
      case ".pragma" -> in.skipPast(";");
      default -> {
        if (in.peek(1).equals(":")) {
          label();
        } else {
          instruction();
        }
      }
    }
  }

  private void registerDeclaration() {
    in.next();
    String name = in.next();
    PtxType type = PtxType.named(name.substring(1));
    if (type == null) {
      throw new PtxSyntaxException(in.line(), "unsupported register type '" + name + "'");
    }
    Scope scope = scopes.element();
    do {
      String register = in.word();
      if (in.accept("<")) {
        in.integer();
        in.expect(">");
        scope.ranges.put(register, type);
      } else {
        scope.registers.put(register, declare(type));
      }
    } while (in.accept(","));
    in.expect(";");
  }

  private Operand.Register declare(PtxType type) {
    registers.add(type);
    return new Operand.Register(registers.size() - 1, type);
  }

  private void label() {
    String name = resolveLabel(in.next());
    in.expect(":");
    if (in.accept(".branchtargets")) {
      List<String> targets = new ArrayList<>();
      do {
        targets.add(resolveLabel(in.word()));
      } while (in.accept(","));
      in.expect(";");
      branchTargets.put(name, targets);
    } else if (labels.put(name, code.size()) != null) {
      throw new PtxSyntaxException(in.line(), "label '" + name + "' declared twice");
    }
  }

  private void instruction() {
    int line = in.line();
    Operand.Register guard = null;
    boolean negated = false;
    if (in.accept("@")) {
      negated = in.accept("!");
      if (!(name(in.word()) instanceof Operand.Register register)
          || register.type() != PtxType.PRED) {
        throw new PtxSyntaxException(line, "guard is no predicate");
      }
      guard = register;
    }
    String opcode = in.word();
    List<Operand> operands = new ArrayList<>();
    while (!in.accept(";")) {
      operands.add(operand());
      in.accept(",");
    }
    code.add(new PtxInstruction(line, opcode, guard, negated, operands));
  }

  private Operand operand() {
    if (in.accept("[")) {
      return address();
    }
    if (in.peek().equals("{") || in.peek().equals("(")) {
      String close = in.next().equals("{") ? "}" : ")";
      List<Operand> items = new ArrayList<>();
      while (!in.accept(close)) {
        items.add(operand());
        in.accept(",");
      }
      return new Operand.Group(items);
    }
    if (in.accept("!")) {
      if (name(in.word()) instanceof Operand.Register register) {
        return new Operand.Not(register);
      }
      throw in.fail("a predicate");
    }
    Operand first = simple();
    if (in.accept("|")) {
      return new Operand.Pair(first, simple());
    }
    return first;
  }

  private Operand address() {
    Operand base = simple();
    long offset = 0;
    if (base instanceof Operand.Variable variable) {
      offset = variable.offset();
      base = new Operand.Variable(variable.variable(), 0);
    }
    if (in.accept("+")) {
      offset += in.integer();
    } else if (in.peek().equals("-")) {
      offset += in.integer();
    }
    if (!in.accept("]")) {
      throw in.fail("']' (tensor coordinates are not supported)");
    }
    return new Operand.Address(base, offset);
  }

  private Operand simple() {
    int line = in.line();
    String token = in.peek();
    if (in.accept("-")) {
      return switch (TokenCursor.literal(in.next(), line)) {
        case Operand.IntLiteral i -> new Operand.IntLiteral(-i.value());
        case Operand.FloatLiteral f -> new Operand.FloatLiteral(-f.value(), f.single());
        default -> throw in.fail("a number");
      };
    }
    if (!PtxLexer.isWordStart(token.charAt(0))) {
      return TokenCursor.literal(in.next(), line);
    }
    Operand named = name(in.word());
    // A register or an address of a variable may be followed by an offset outside brackets too.
    if (named instanceof Operand.Variable variable && in.accept("+")) {
      return new Operand.Variable(variable.variable(), in.integer());
    }
    return named;
  }

  private Operand name(String name) {
    if (name.equals("_")) {
      return new Operand.Sink();
    }
    int digits = name.length();
    while (digits > 0 && Character.isDigit(name.charAt(digits - 1))) {
      digits--;
    }
    String prefix = name.substring(0, digits);
    for (Scope scope : scopes) {
      Operand.Register register = scope.registers.get(name);
      if (register != null) {
        return register;
      }
      PtxType range = digits < name.length() ? scope.ranges.get(prefix) : null;
      if (range != null) {
        register = declare(range);
        scope.registers.put(name, register);
        return register;
      }
      PtxVariable variable = scope.variables.get(name);
      if (variable != null) {
        return new Operand.Variable(variable, 0);
      }
      String label = scope.labels.get(name);
      if (label != null) {
        return new Operand.Name(label);
      }
    }
    if (globals.containsKey(name)) {
      return new Operand.Variable(globals.get(name), 0);
    }
    return name.startsWith("%") ? new Operand.Special(name) : new Operand.Name(name);
  }

  private String resolveLabel(String name) {
    for (Scope scope : scopes) {
      String label = scope.labels.get(name);
      if (label != null) {
        return label;
      }
    }
    return name;
  }
}
