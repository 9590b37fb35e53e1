package org.sinkq.cuda.ptx;

import java.util.List;

/** A position in the tokens, with the few questions that both parsers ask. */
final class TokenCursor {
  private final List<String> tokens;
  private final int[] lines;
  private int at;

  TokenCursor(PtxLexer.Tokens tokens) {
    this.tokens = tokens.text();
    lines = tokens.lines();
  }

  boolean atEnd() {
    return at >= tokens.size();
  }

  String peek() {
    return atEnd() ? "end of text" : tokens.get(at);
  }

  /** The token {@code ahead} tokens further on. */
  String peek(int ahead) {
    return at + ahead < tokens.size() ? tokens.get(at + ahead) : "end of text";
  }

  int line() {
    return lines[Math.min(at, tokens.size() - 1)];
  }

  String next() {
    if (atEnd()) {
      throw fail("more text");
    }
    return tokens.get(at++);
  }

  boolean accept(String token) {
    if (!peek().equals(token)) {
      return false;
    }
    at++;
    return true;
  }

  void expect(String token) {
    if (!accept(token)) {
      throw fail("'" + token + "'");
    }
  }

  /** A name that is neither directive nor number. */
  String word() {
    String word = peek();
    if (!PtxLexer.isWordStart(word.charAt(0))) {
      throw fail("a name");
    }
    return next();
  }

  /** Skips what is left of a line: {@code .loc}, {@code .file}. */
  void skipLine() {
    int line = line();
    while (!atEnd() && line() == line) {
      at++;
    }
  }

  /** Skips up to and over a token. */
  void skipPast(String token) {
    while (!next().equals(token)) {
      // Skipped.
    }
  }

  /** Skips a block in braces, whose opening brace comes next. */
  void skipBlock() {
    expect("{");
    for (int depth = 1; depth > 0; ) {
      String token = next();
      depth += token.equals("{") ? 1 : token.equals("}") ? -1 : 0;
    }
  }

  /** An integer literal with an optional sign. */
  long integer() {
    boolean negative = accept("-");
    int line = line();
    Operand literal = literal(next(), line);
    if (literal instanceof Operand.IntLiteral value) {
      return negative ? -value.value() : value.value();
    }
    throw new PtxSyntaxException(line, "expected an integer");
  }

  /** Reads a number in any of PTX's notations. */
  static Operand literal(String token, int line) {
    try {
      String lower = token.toLowerCase(java.util.Locale.ROOT);
      if (lower.startsWith("0f") && lower.length() == 10) {
        int bits = Integer.parseUnsignedInt(lower.substring(2), 16);
        return new Operand.FloatLiteral(Float.intBitsToFloat(bits), true);
      }
      if (lower.startsWith("0d") && lower.length() == 18) {
        long bits = Long.parseUnsignedLong(lower.substring(2), 16);
        return new Operand.FloatLiteral(Double.longBitsToDouble(bits), false);
      }
      String digits = lower.endsWith("u") ? lower.substring(0, lower.length() - 1) : lower;
      if (digits.startsWith("0x")) {
        return new Operand.IntLiteral(Long.parseUnsignedLong(digits.substring(2), 16));
      }
      if (digits.startsWith("0b")) {
        return new Operand.IntLiteral(Long.parseUnsignedLong(digits.substring(2), 2));
      }
      if (digits.indexOf('.') >= 0 || digits.indexOf('e') >= 0) {
        return new Operand.FloatLiteral(Double.parseDouble(digits), false);
      }
      if (digits.length() > 1 && digits.charAt(0) == '0') {
        return new Operand.IntLiteral(Long.parseUnsignedLong(digits, 8));
      }
      return new Operand.IntLiteral(Long.parseUnsignedLong(digits));
    } catch (NumberFormatException e) {
      throw new PtxSyntaxException(line, "number '" + token + "' not understood");
    }
  }

  PtxSyntaxException fail(String expected) {
    return new PtxSyntaxException(line(), "found '" + peek() + "', expected " + expected);
  }
}
