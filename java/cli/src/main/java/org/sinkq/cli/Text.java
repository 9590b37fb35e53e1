package org.sinkq.cli;

import java.util.Locale;
import org.sinkq.EngineStatus;

/** Numbers for people. */
final class Text {
  private static final String[] UNITS = {"KiB", "MiB", "GiB", "TiB"};
  private static final int STEP = 1024;

  private Text() {}

  /** Bytes in the largest unit that leaves at least 1, such as {@code 12.3 MiB}. */
  static String bytes(long bytes) {
    if (bytes < STEP) {
      return bytes + " B";
    }
    double value = bytes;
    int unit = -1;
    while (value >= STEP && unit < UNITS.length - 1) {
      value /= STEP;
      unit++;
    }
    return String.format(Locale.ROOT, "%.1f %s", value, UNITS[unit]);
  }

  /** A count with its noun. */
  static String count(long n, String noun) {
    return n + " " + noun + (n == 1 ? "" : "s");
  }

  /** Name of an engine, what it runs on, and why it was taken. */
  static String engine(EngineStatus engine) {
    return engine.name() + " (" + engine.description() + "), " + engine.reason();
  }
}
