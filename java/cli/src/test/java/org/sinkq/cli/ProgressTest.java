package org.sinkq.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;

final class ProgressTest {
  private final StringWriter err = new StringWriter();

  @Test
  void aShortCommandShowsNothing() {
    try (Progress progress = new Progress(new PrintWriter(err), true)) {
      progress.accept("1 of 2");
    }
    assertEquals("", err.toString());
  }

  @Test
  void aTerminalShowsTheLineInPlaceAndWipesItInTheEnd() throws InterruptedException {
    try (Progress progress = new Progress(new PrintWriter(err), true)) {
      Thread.sleep(150);
      progress.accept("10 of 10");
      progress.accept("too soon");
      Thread.sleep(150);
      progress.accept("done");
    }
    assertEquals("\r10 of 10\rdone    \r    \r", err.toString());
  }

  @Test
  void aLogIsSpared() throws InterruptedException {
    try (Progress progress = new Progress(new PrintWriter(err), false)) {
      Thread.sleep(150);
      progress.accept("1 of 2");
    }
    assertEquals("", err.toString());
  }
}
