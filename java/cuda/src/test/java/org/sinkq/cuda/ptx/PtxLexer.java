package org.sinkq.cuda.ptx;

import java.util.ArrayList;
import java.util.List;

/**
 * Cuts PTX into tokens and drops comments. A word takes in the dots and double colons of an opcode
 * ({@code cp.async.bulk.shared::cluster.global}) and of a special register ({@code %tid.x}); all
 * else is a number, a quoted string or one character.
 */
final class PtxLexer {
  private final String text;
  private final List<String> tokens = new ArrayList<>();
  private int[] lines = new int[1024];
  private int at;
  private int line = 1;

  private PtxLexer(String text) {
    this.text = text;
  }

  /** The tokens of a text, each with its line. */
  record Tokens(List<String> text, int[] lines) {}

  static Tokens scan(String text) {
    PtxLexer lexer = new PtxLexer(text);
    while (lexer.skipBlanks()) {
      lexer.token();
    }
    return new Tokens(lexer.tokens, lexer.lines);
  }

  private boolean skipBlanks() {
    while (at < text.length()) {
      char c = text.charAt(at);
      if (c == '\n') {
        line++;
        at++;
      } else if (Character.isWhitespace(c)) {
        at++;
      } else if (text.startsWith("//", at)) {
        int end = text.indexOf('\n', at);
        at = end < 0 ? text.length() : end;
      } else if (text.startsWith("/*", at)) {
        int end = text.indexOf("*/", at + 2);
        if (end < 0) {
          throw new PtxSyntaxException(line, "comment without end");
        }
        line += (int) text.substring(at, end).chars().filter(ch -> ch == '\n').count();
        at = end + 2;
      } else {
        return c != 0;
      }
    }
    return false;
  }

  private void token() {
    int start = at;
    char c = text.charAt(at);
    if (c == '"') {
      at = text.indexOf('"', at + 1) + 1;
      if (at == 0) {
        throw new PtxSyntaxException(line, "string without end");
      }
    } else if (isWordStart(c)) {
      at++;
      while (at < text.length() && isWordPart()) {
        at += text.charAt(at) == ':' ? 2 : 1;
      }
    } else if (c >= '0' && c <= '9') {
      at++;
      while (at < text.length()
          && (Character.isLetterOrDigit(text.charAt(at)) || text.charAt(at) == '.')) {
        at++;
      }
    } else {
      at++;
    }
    if (tokens.size() == lines.length) {
      lines = java.util.Arrays.copyOf(lines, lines.length * 2);
    }
    lines[tokens.size()] = line;
    tokens.add(text.substring(start, at));
  }

  private boolean isWordPart() {
    char c = text.charAt(at);
    return isWordStart(c) || (c >= '0' && c <= '9') || (c == ':' && text.startsWith("::", at));
  }

  static boolean isWordStart(char c) {
    return (c >= 'a' && c <= 'z')
        || (c >= 'A' && c <= 'Z')
        || c == '_'
        || c == '$'
        || c == '%'
        || c == '.';
  }
}
