package org.sinkq.cuda.ptx;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads a module: its directives, variables and function heads. Bodies are {@link BodyParser}'s.
 */
final class PtxParser {
  private final TokenCursor in;
  private final List<PtxVariable> variables = new ArrayList<>();
  private final Map<String, PtxVariable> globals = new HashMap<>();
  private final Map<String, PtxFunction> functions = new LinkedHashMap<>();
  private int version;
  private String target = "";

  private PtxParser(String text) {
    in = new TokenCursor(PtxLexer.scan(text));
  }

  /**
   * Parses a module.
   *
   * @throws PtxSyntaxException naming the line
   */
  static PtxModule parse(String text) {
    PtxParser parser = new PtxParser(text);
    while (!parser.in.atEnd()) {
      parser.topLevel();
    }
    return new PtxModule(
        parser.version, parser.target, parser.variables, parser.functions, text.lines().toList());
  }

  private void topLevel() {
    String directive = in.peek();
    switch (directive) {
      case ".version" -> {
        in.next();
        version = Integer.parseInt(in.next().replace(".", ""));
      }
      case ".target" -> {
        in.next();
        target = in.next();
        while (in.accept(",")) {
          in.next();
        }
      }
      case ".address_size" -> {
        in.next();
        if (in.integer() != 64) {
          throw in.fail(".address_size 64");
        }
      }
      case ".file", ".loc" -> in.skipLine();
      case ".section" -> {
        in.next();
        in.next();
        in.skipBlock();
      }
      case ".pragma" -> in.skipPast(";");
      case ".visible", ".extern", ".weak", ".common" -> in.next();
      case ".entry", ".func" -> function();
      case ".global", ".const", ".shared" -> {
        for (PtxVariable variable : variables(in)) {
          variables.add(variable);
          globals.put(variable.name(), variable);
        }
        in.expect(";");
      }
      default -> throw in.fail("a directive of module scope");
    }
  }

  private void function() {
    int line = in.line();
    boolean entry = in.next().equals(".entry");
    List<PtxVariable> returns = List.of();
    if (!entry && in.peek().equals("(")) {
      returns = parameters();
    }
    String name = in.word();
    List<PtxVariable> params = in.peek().equals("(") ? parameters() : List.of();
    int maxThreads = 0;
    while (!in.peek().equals("{") && !in.peek().equals(";")) {
      String directive = in.next();
      if (directive.equals(".maxntid") || directive.equals(".reqntid")) {
        maxThreads = (int) in.integer();
        while (in.accept(",")) {
          maxThreads *= (int) in.integer();
        }
      }
    }
    if (in.accept(";")) {
      return; // A declaration; the definition is elsewhere in the module.
    }
    BodyParser body = new BodyParser(in, globals, params, returns);
    body.parse();
    functions.put(
        name,
        new PtxFunction(
            name,
            entry,
            params,
            returns,
            body.registers(),
            body.variables(),
            body.code(),
            body.labels(),
            body.branchTargets(),
            maxThreads,
            line));
  }

  private List<PtxVariable> parameters() {
    List<PtxVariable> params = new ArrayList<>();
    in.expect("(");
    while (!in.accept(")")) {
      params.addAll(variables(in));
      in.accept(",");
    }
    return params;
  }

  /** Reads one declaration, up to the semicolon, comma or parenthesis behind it. */
  static List<PtxVariable> variables(TokenCursor in) {
    String space = in.next().substring(1);
    int align = 0;
    PtxType type = null;
    while (in.peek().startsWith(".")) {
      String part = in.next();
      switch (part) {
        case ".align" -> {
          // Behind .ptr it is the pointee's alignment, which the type of the pointer overrides.
          align = (int) in.integer();
        }
        case ".ptr" -> {
          align = 0;
          while (in.peek().startsWith(".")) {
            if (in.next().equals(".align")) {
              in.integer();
            }
          }
        }
        case ".attribute" -> in.skipPast(")");
        default -> {
          type = PtxType.named(part.substring(1));
          if (type == null) {
            throw new PtxSyntaxException(in.line(), "unsupported type '" + part + "'");
          }
        }
      }
    }
    if (type == null) {
      throw in.fail("a type");
    }
    List<PtxVariable> result = new ArrayList<>();
    do {
      result.add(variable(in, space, align, type));
    } while (!space.equals("param") && in.accept(","));
    return result;
  }

  private static PtxVariable variable(TokenCursor in, String space, int align, PtxType type) {
    int line = in.line();
    String name = in.word();
    int count = 1;
    while (in.accept("[")) {
      count *= in.peek().equals("]") ? 0 : (int) in.integer();
      in.expect("]");
    }
    byte[] initial = null;
    if (in.accept("=")) {
      List<Operand> values = new ArrayList<>();
      initialiser(in, values);
      initial = bytes(values, type);
    }
    int bytes = Math.multiplyExact(count, type.bytes);
    return new PtxVariable(
        space, name, type, align == 0 ? type.bytes : align, bytes, initial, line);
  }

  private static void initialiser(TokenCursor in, List<Operand> values) {
    if (in.accept("{")) {
      while (!in.accept("}")) {
        initialiser(in, values);
        in.accept(",");
      }
      return;
    }
    boolean negative = in.accept("-");
    int line = in.line();
    Operand literal = TokenCursor.literal(in.next(), line);
    values.add(
        !negative
            ? literal
            : switch (literal) {
              case Operand.IntLiteral i -> new Operand.IntLiteral(-i.value());
              case Operand.FloatLiteral f -> new Operand.FloatLiteral(-f.value(), f.single());
              default -> throw new PtxSyntaxException(line, "initialiser not understood");
            });
  }

  private static byte[] bytes(List<Operand> values, PtxType type) {
    ByteBuffer out = ByteBuffer.allocate(values.size() * type.bytes).order(ByteOrder.LITTLE_ENDIAN);
    for (Operand value : values) {
      long bits = Literals.bits(value, type);
      for (int i = 0; i < type.bytes; i++) {
        out.put((byte) (bits >>> (8 * i)));
      }
    }
    return out.array();
  }
}
