package org.sinkq.cli;

import java.util.List;
import java.util.Locale;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;

/** Counts and sizes on the command line: {@code 8K} tokens, {@code 76G} or {@code 76GB} bytes. */
final class Quantity {
  /** In powers of 1024, and behind them with a B in powers of 1000, as memory is sold. */
  private static final List<String> UNITS = List.of("", "K", "M", "G");

  private Quantity() {}

  /**
   * The number that an option was given.
   *
   * @throws ParameterException if it is none or out of range
   */
  static long parse(CommandLine line, String option, String text, long least, long most) {
    long value = parse(text.toUpperCase(Locale.ROOT));
    if (value < least || value > most) {
      throw new ParameterException(
          line,
          option + "=" + text + ", expected " + least + " to " + most + ", K, M and G allowed");
    }
    return value;
  }

  /** The number, or -1 for anything else. */
  private static long parse(String text) {
    boolean decimal = text.endsWith("B");
    String number = decimal ? text.substring(0, text.length() - 1) : text;
    String last = number.isEmpty() ? "" : number.substring(number.length() - 1);
    int power = Math.max(0, UNITS.indexOf(last));
    String digits = power == 0 ? number : number.substring(0, number.length() - 1);
    // So many digits do not overflow.
    String allowed = power == 0 ? "[0-9]{1,18}" : "[0-9]{1,9}";
    return digits.matches(allowed)
        ? scale(Long.parseLong(digits), decimal ? 1000 : 1024, power)
        : -1;
  }

  private static long scale(long value, int base, int power) {
    long scaled = value;
    for (int i = 0; i < power; i++) {
      scaled *= base;
    }
    return scaled;
  }
}
