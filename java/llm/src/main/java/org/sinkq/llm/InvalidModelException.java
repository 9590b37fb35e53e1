package org.sinkq.llm;

import java.nio.file.Path;
import java.util.Locale;

/**
 * A model file that cannot be used. The message is one line: the file, what is wrong, what was
 * expected.
 */
public final class InvalidModelException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** Creates the error; {@code problem} reads {@code name=value, expected ...}. */
  public InvalidModelException(Path file, String problem) {
    super(file + ": " + problem);
  }

  /** Creates the error with the one that made the file unusable. */
  public InvalidModelException(Path file, String problem, Throwable cause) {
    super(file + ": " + problem, cause);
  }

  /**
   * Throws unless {@code condition} holds.
   *
   * @param format message in the style {@code name=%d, expected ...}
   * @param args values for the format
   */
  public static void require(boolean condition, Path file, String format, Object... args) {
    if (!condition) {
      throw new InvalidModelException(file, String.format(Locale.ROOT, format, args));
    }
  }
}
