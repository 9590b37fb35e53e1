package org.sinkq.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.PrintWriter;
import java.io.Writer;
import org.junit.jupiter.api.Test;

final class CountdownTest {
  @Test
  void timeLeftFollowsFromTheTimeSoFar() {
    try (Progress progress = new Progress(new PrintWriter(Writer.nullWriter()), false)) {
      Countdown countdown = new Countdown(progress, "evaluating", 4000);
      assertEquals(
          "evaluating [######------------------] 1000 of 4000 tokens, 30 s left",
          countdown.line(1000, 10));
      assertEquals(
          "evaluating [------------------------] 1 of 4000 tokens, 66 min 39 s left",
          countdown.line(1, 1));
      assertEquals(
          "evaluating [########################] 4000 of 4000 tokens, 0 s left",
          countdown.line(4000, 99));
    }
  }
}
