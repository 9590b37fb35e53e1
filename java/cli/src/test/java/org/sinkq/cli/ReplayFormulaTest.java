package org.sinkq.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.sinkq.cli.replay.FormulaRun;
import org.sinkq.cli.replay.TraceFiles;

/** The whole command against the method's formula. */
final class ReplayFormulaTest {
  private static final double TOLERANCE = 1e-4;

  @TempDir Path temp;

  @ParameterizedTest
  @CsvSource({
    "11, 150, 4, 2, 64,   0, 32, 32, 3, 32",
    "12, 150, 4, 2, 64, 130, 32, 32, 3, 32",
    "13, 200, 6, 2, 80,  90, 32,  0, 3,  2",
    "14, 170, 2, 2, 64,   1, 64, 16, 1,  0",
    "15, 140, 3, 1, 96, 140, 32,  7, 0,  0",
  })
  void replayComputesTheMethod(
      long seed,
      int tokens,
      int qoHeads,
      int kvHeads,
      int headDim,
      int prompt,
      int page,
      int window,
      int pool,
      int spill)
      throws IOException {
    TraceFiles trace = TraceFiles.random(seed, tokens, qoHeads, kvHeads, headDim);
    Path in = trace.write(temp.resolve("in.safetensors"));
    Path out = temp.resolve("out.safetensors");
    Cli run =
        Cli.run(
            "replay",
            in.toString(),
            out.toString(),
            "--prompt=" + prompt,
            "--page=" + page,
            "--window=" + window,
            "--pool=" + pool,
            "--spill=" + spill);
    assertEquals(0, run.code(), run.err());

    ReplayOutput actual = ReplayOutput.read(out);
    FormulaRun expected = FormulaRun.of(trace, prompt, page, window, pool, spill);
    for (int i = 0; i < actual.out().length; i++) {
      assertEquals(expected.out()[i], actual.out()[i], TOLERANCE, "seed=" + seed + " out " + i);
    }
    for (int head = 0; head < kvHeads; head++) {
      int[] held = Arrays.stream(actual.sinks()[head]).filter(p -> p >= 0).toArray();
      assertArrayEquals(expected.sinks()[head], held, "seed=" + seed + " head=" + head);
    }
  }
}
