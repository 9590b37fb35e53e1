package org.sinkq;

/**
 * A value the caller passed cannot be used. The message reads {@code name=value, expected ...}; no
 * state has changed.
 */
public final class InvalidArgumentException extends SinkQException {
  private static final long serialVersionUID = 1L;

  /** Creates the error with a message that names the value and what was expected. */
  public InvalidArgumentException(String message) {
    super(message, null);
  }

  /**
   * Throws unless {@code condition} holds.
   *
   * @param format message in the style {@code name=%d, expected ...}
   * @param args values for the format
   */
  public static void require(boolean condition, String format, Object... args) {
    if (!condition) {
      throw new InvalidArgumentException(String.format(java.util.Locale.ROOT, format, args));
    }
  }
}
