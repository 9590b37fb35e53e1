package org.sinkq.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class SinkqTest {
  @TempDir Path temp;

  @Test
  void versionIsThatOfTheBuild() {
    Cli run = Cli.run("--version");
    assertEquals(0, run.code());
    assertTrue(run.out().matches("sinkq \\d+\\.\\d+\\.\\d+(-SNAPSHOT)?\\R"), run.out());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "generate",
        "eval",
        "analyze",
        "replay",
        "plan",
        "bench",
        "bench throughput",
        "doctor",
        "models",
        "models list",
        "models fetch",
        "models verify",
        "models path",
        "completion"
      })
  void helpShowsExamplesAndExitCodesWithoutColour(String command) {
    Cli run = Cli.run((command + " --help").strip().split(" "));
    assertEquals(0, run.code(), run.err());
    assertTrue(run.out().contains("Examples:" + System.lineSeparator() + "  "), run.out());
    assertTrue(run.out().contains("sinkq " + command), run.out());
    assertTrue(run.out().contains("Exit codes:"), run.out());
    assertFalse(run.out().contains("\u001b"), "escape sequences outside a terminal");
  }

  @Test
  void misuseIsOneLineAndExitCode2() {
    check("sinkq: a command is missing; see 'sinkq --help'");
    check(
        "sinkq: 'bogus' is no command, expected one of generate, eval, analyze, replay,"
            + " plan, bench, doctor, models, completion; see 'sinkq --help'",
        "bogus");
    check(
        "sinkq: Unknown option: '--paje=64', did you mean --page?; see 'sinkq replay --help'",
        "replay",
        "in",
        "out",
        "--paje=64");
    check(
        "sinkq: Missing required parameter: 'OUT.safetensors'; see 'sinkq replay --help'",
        "replay",
        "in");
    check(
        "sinkq: Invalid value for option '--page': 'x' is not an int; see 'sinkq replay --help'",
        "replay",
        "in",
        "out",
        "--page",
        "x");
    check(
        "sinkq: Invalid value for option '--kv': 'fp8', expected one of fp16, int4, kivi2,"
            + " kivi2-g32, first4, sinkq2, sinkq2a, sinkq2-mass, sinkq2a-mass; see 'sinkq replay --help'",
        "replay",
        "in",
        "out",
        "--kv",
        "fp8");
    check(
        "sinkq: --page=48, expected 32, 64 or 128; see 'sinkq replay --help'",
        "replay",
        "in",
        "out",
        "--page=48");
    check(
        "sinkq: --engine=tpu, expected one of auto, cuda, cpu, cuda-interpreted, cuda-interpreted-h100; see 'sinkq replay --help'",
        "replay",
        "in",
        "out",
        "--engine=tpu");
    check(
        "sinkq: --threads=-1, expected 0 (one for each processor) to 1024; see 'sinkq replay"
            + " --help'",
        "replay",
        "in",
        "out",
        "--threads=-1");
    check(
        "sinkq: --device=-1, expected 0 or more; see 'sinkq replay --help'",
        "replay",
        "in",
        "out",
        "--device=-1");
    check(
        "sinkq: --device=1 with --engine=cpu, expected --engine=cuda; see 'sinkq replay --help'",
        "replay",
        "in",
        "out",
        "--device=1",
        "--engine=cpu");
  }

  private static void check(String line, String... args) {
    Cli run = Cli.run(args);
    assertEquals(line + System.lineSeparator(), run.err());
    assertEquals(2, run.code());
    assertEquals("", run.out());
  }

  @Test
  void debugAddsTheStackTrace() {
    String in = temp.resolve("none").toString();
    String out = temp.resolve("out").toString();
    Cli plain = Cli.run("replay", in, out);
    assertEquals(1, plain.code());
    assertEquals(1, plain.err().lines().count(), plain.err());
    for (String[] args :
        new String[][] {{"--debug", "replay", in, out}, {"replay", in, out, "--debug"}}) {
      Cli debug = Cli.run(args);
      assertEquals(1, debug.code());
      assertTrue(debug.err().startsWith(plain.err()), debug.err());
      assertTrue(debug.err().contains("\tat org.sinkq"), debug.err());
    }
  }

  @Test
  void completionIsAScriptThatBashAccepts() throws IOException, InterruptedException {
    Cli run = Cli.run("completion");
    assertEquals(0, run.code());
    Path script = Files.writeString(temp.resolve("completion"), run.out());
    Process bash =
        new ProcessBuilder("bash", "-c", "source " + script + " && complete -p sinkq")
            .redirectErrorStream(true)
            .start();
    String output = new String(bash.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, bash.waitFor(), output);
    assertTrue(output.contains("_complete_sinkq"), output);
    assertTrue(run.out().contains("replay"));
  }

  @Test
  void doctorShowsTheEngineTheMachineAndTheModel() {
    Cli run = Cli.run("doctor");
    assertEquals(0, run.code(), run.err());
    assertTrue(run.out().contains("engine      cpu runs: "), run.out());
    for (String line : new String[] {"java  ", "processors  ", "memory  ", "model  "}) {
      assertTrue(run.out().contains(line), run.out());
    }
    assertTrue(run.out().contains(": not fetched; run 'sinkq models fetch'"), run.out());
  }

  @Test
  void doctorAsJsonIsOneObjectOnOneLine() {
    Cli run = Cli.run("doctor", "--json");
    assertEquals(0, run.code(), run.err());
    assertEquals(1, run.out().lines().count());
    assertTrue(run.out().contains("{\"name\":\"cpu\",\"available\":true,"), run.out());
    assertTrue(run.out().contains("\"modelState\":\"absent\""), run.out());
  }
}
