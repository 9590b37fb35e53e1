package org.sinkq.cli;

import java.io.PrintWriter;
import java.time.Duration;
import java.util.function.Consumer;

/**
 * One line on stderr that says how far a long command is. A terminal shows it in place; elsewhere
 * it is repeated now and then, so that a log shows life.
 */
final class Progress implements Consumer<String>, AutoCloseable {
  private static final long TERMINAL_NANOS = Duration.ofMillis(100).toNanos();
  private static final long LOG_NANOS = Duration.ofSeconds(10).toNanos();

  private final PrintWriter err;
  private final boolean terminal;
  private final long interval;
  private long next;
  private int shown;

  Progress(PrintWriter err, boolean terminal) {
    this.err = err;
    this.terminal = terminal;
    interval = terminal ? TERMINAL_NANOS : LOG_NANOS;
    next = System.nanoTime() + interval;
  }

  /** Shows the text unless another one was shown a moment ago. */
  @Override
  public void accept(String text) {
    long now = System.nanoTime();
    if (now - next < 0) {
      return;
    }
    next = now + interval;
    if (terminal) {
      err.print('\r' + text + " ".repeat(Math.max(0, shown - text.length())));
      shown = text.length();
    } else {
      err.println("sinkq: " + text);
    }
    err.flush();
  }

  /** Wipes the line off the terminal. */
  @Override
  public void close() {
    if (shown > 0) {
      err.print('\r' + " ".repeat(shown) + '\r');
      err.flush();
      shown = 0;
    }
  }
}
