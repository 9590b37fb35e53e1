package org.sinkq.containers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

/**
 * How a command ended.
 *
 * @param code its exit code
 * @param out its stdout
 * @param err its stderr
 */
record Outcome(int code, String out, String err) {
  /** Fails unless the command succeeded. */
  Outcome succeeded() {
    assertEquals(0, code, this::toString);
    return this;
  }

  /** Fails unless the command failed with 1 and said this on stderr. */
  void refused(String message) {
    assertEquals(1, code, this::toString);
    assertTrue(err.contains(message), () -> "expected '" + message + "' in " + this);
  }

  /** The last line of stdout. */
  String lastLine() {
    return out.lines().reduce("", (first, second) -> second);
  }
}
