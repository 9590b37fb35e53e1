package org.sinkq.cli;

import java.util.Locale;
import java.util.function.IntConsumer;

/** A progress bar over tokens with the time that is left, guessed from the time so far. */
final class Countdown implements IntConsumer {
  private static final int BAR = 24;
  private static final int MINUTE = 60;

  private final Progress progress;
  private final String what;
  private final int total;
  private final long begin = System.nanoTime();

  /**
   * Begins now.
   *
   * @param what is done, such as {@code evaluating}
   * @param total tokens
   */
  Countdown(Progress progress, String what, int total) {
    this.progress = progress;
    this.what = what;
    this.total = total;
  }

  @Override
  public void accept(int done) {
    progress.accept(line(done, (System.nanoTime() - begin) * 1e-9));
  }

  String line(int done, double seconds) {
    int full = (int) ((long) BAR * done / total);
    return String.format(
        Locale.ROOT,
        "%s [%s%s] %d of %d tokens, %s left",
        what,
        "#".repeat(full),
        "-".repeat(BAR - full),
        done,
        total,
        time(seconds / Math.max(1, done) * (total - done)));
  }

  private static String time(double seconds) {
    long whole = Math.round(seconds);
    return whole < MINUTE ? whole + " s" : whole / MINUTE + " min " + whole % MINUTE + " s";
  }
}
