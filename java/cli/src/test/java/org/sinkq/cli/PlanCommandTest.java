package org.sinkq.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

class PlanCommandTest {
  private static void assertRefused(String message, String... options) {
    String[] args = new String[options.length + 1];
    args[0] = "plan";
    System.arraycopy(options, 0, args, 1, options.length);
    Cli cli = Cli.run(args);
    assertEquals(2, cli.code(), cli.err());
    assertTrue(cli.err().contains(message), cli.err());
    assertEquals("", cli.out());
  }

  @Test
  void printsARowForEveryCacheAndContext() {
    Cli cli = Cli.run("plan", "--kv", "fp16,sinkq2", "--context", "8K,32768");
    assertEquals(0, cli.code(), cli.err());
    List<String> rows = cli.out().lines().filter(line -> line.matches("(fp16|sinkq2) .*")).toList();
    assertEquals(4, rows.size(), cli.out());
    assertTrue(rows.getLast().matches("sinkq2 +32768 .*"), cli.out());
  }

  @Test
  void jsonHasALineForEveryRow() {
    Cli cli = Cli.run("plan", "--kv", "sinkq2", "--context", "8K", "--batch", "4", "--json");
    assertEquals(0, cli.code(), cli.err());
    assertTrue(
        cli.out()
            .matches(
                "\\{\"kv\":\"sinkq2\",\"context\":8192,\"bytesPerSequence\":\\d+,.*\"batch\":4,.*}\\R"),
        cli.out());
  }

  @Test
  void whatDoesNotFitIsSaid() {
    Cli cli =
        Cli.run("plan", "--gpu", "4090", "--memory", "16G", "--context", "128K", "--kv", "fp16");
    assertEquals(0, cli.code(), cli.err());
    assertTrue(cli.out().contains("does not fit"), cli.out());
  }

  @Test
  void unknownNamesListTheKnownOnes() {
    assertRefused("--gpu=h100, expected one of h100-80, h200, ", "--gpu", "h100");
    assertRefused(
        "--shape=gpt-2, expected one of llama-3-8b, llama-2-7b, qwen3-32b-layer or a GGUF file",
        "--shape",
        "gpt-2");
  }

  @Test
  void numbersOutOfRangeNameTheirRange() {
    assertRefused("--context=31, expected 32 to 16777216", "--context", "31");
    assertRefused("--batch=0, expected 1 to 65536", "--batch", "0");
    assertRefused("--memory=90G, expected 1 to 85520809984", "--memory", "90G");
    assertRefused("--memory=1.5G, expected 1 to ", "--memory", "1.5G");
    assertRefused("--memory=1073741824, expected more than the ", "--memory", "1G");
  }
}
