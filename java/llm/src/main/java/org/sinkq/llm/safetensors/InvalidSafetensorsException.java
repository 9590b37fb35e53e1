package org.sinkq.llm.safetensors;

import java.nio.file.Path;
import java.util.Locale;

/** A safetensors file that cannot be used; the message is one line that names the file. */
public final class InvalidSafetensorsException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** Creates the error; {@code problem} reads {@code name=value, expected ...}. */
  public InvalidSafetensorsException(Path file, String problem) {
    super(file + ": " + problem);
  }

  /** Creates the error with the one that made the file unusable. */
  public InvalidSafetensorsException(Path file, String problem, Throwable cause) {
    super(file + ": " + problem, cause);
  }

  static void require(boolean condition, Path file, String format, Object... args) {
    if (!condition) {
      throw new InvalidSafetensorsException(file, String.format(Locale.ROOT, format, args));
    }
  }
}
