package org.sinkq.cli;

import java.util.List;
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

  /** Rows of cells in columns: the first is text, the others are numbers. */
  static String table(List<List<String>> rows) {
    int[] width = new int[rows.getFirst().size()];
    for (List<String> row : rows) {
      for (int i = 0; i < width.length; i++) {
        width[i] = Math.max(width[i], row.get(i).length());
      }
    }
    StringBuilder text = new StringBuilder();
    for (List<String> row : rows) {
      for (int i = 0; i < width.length; i++) {
        String gap = " ".repeat(width[i] - row.get(i).length());
        text.append(i == 0 ? row.get(i) + gap : "  " + gap + row.get(i));
      }
      text.append(System.lineSeparator());
    }
    return text.toString();
  }
}
