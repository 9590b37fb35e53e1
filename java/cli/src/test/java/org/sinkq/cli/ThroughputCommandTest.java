package org.sinkq.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.sinkq.cli.eval.TinyGguf;

/** The whole command on the interpreted device, with a model of three layers. */
class ThroughputCommandTest {
  private static final String MEMORY = "1M";

  @TempDir private Path folder;
  private Path model;

  @BeforeEach
  void write() throws IOException {
    model = TinyGguf.write(folder.resolve("tiny.gguf"), 3);
  }

  /** Runs the command with the small model on the interpreted device, unless told otherwise. */
  private Cli run(String... options) {
    Map<String, String> all = new LinkedHashMap<>();
    all.put("--engine", "cuda-interpreted");
    all.put("--steps", "8");
    all.put("--shape", model.toString());
    all.put("--memory", MEMORY);
    List<String> args = new ArrayList<>(List.of("bench", "throughput"));
    for (int i = 0; i < options.length; i++) {
      if (options[i].equals("--json")) {
        args.add(options[i]);
      } else {
        all.put(options[i], options[++i]);
      }
    }
    all.forEach((name, value) -> args.addAll(List.of(name, value)));
    return Cli.run(args.toArray(new String[0]));
  }

  private void assertRefused(String message, String... options) {
    Cli cli = run(options);
    assertEquals(2, cli.code(), cli.err());
    assertEquals(1, cli.err().lines().count(), cli.err());
    assertTrue(cli.err().startsWith("sinkq: " + message), cli.err());
    assertEquals("", cli.out());
  }

  @Test
  void measuresAtEqualMemoryAndEqualBatch() throws IOException {
    Path report = folder.resolve("r.md");
    Cli cli =
        run("--context", "192", "--kv", "fp16,sinkq2", "--json", "--report", report.toString());
    assertEquals(0, cli.code(), cli.err());
    List<String> lines = cli.out().lines().toList();
    assertEquals(3, lines.size(), cli.out());
    assertTrue(
        lines.get(0).startsWith("{\"kv\":\"fp16\",\"context\":192,\"fit\":3,\"batch\":3,"),
        cli.out());
    assertTrue(
        lines.get(1).startsWith("{\"kv\":\"sinkq2\",\"context\":192,\"fit\":4,\"batch\":3,"),
        cli.out());
    assertTrue(
        lines.get(2).startsWith("{\"kv\":\"sinkq2\",\"context\":192,\"fit\":4,\"batch\":4,"),
        cli.out());
    for (String line : lines) {
      assertTrue(line.matches(".*\"tokensPerSecond\":[0-9]+[.][0-9]+,.*"), line);
      assertTrue(line.matches(".*\"gemmSeconds\":[0-9.E-]+,\"attentionSeconds\":.*"), line);
      assertFalse(line.contains("NaN"), line);
    }
    String text = Files.readString(report);
    assertTrue(text.contains("## Equal memory: as many sequences as fit\n"), text);
    assertTrue(text.contains("## Equal batch: as many sequences as fit with fp16\n"), text);
    assertTrue(text.contains("| fp16 | 192 | 3 | 3 | "), text);
    assertTrue(Files.readString(folder.resolve("r-batch.svg")).startsWith("<svg xmlns="));
    assertTrue(Files.exists(folder.resolve("r-context.svg")));
  }

  @Test
  void whatCannotBeUsedIsRefusedBeforeAnythingIsAllocated() {
    assertRefused(
        "--shape=gpt-2, expected one of llama-3-8b, llama-2-7b, qwen3-32b-layer or a GGUF file",
        "--shape",
        "gpt-2");
    assertRefused("--context=31, expected 32 to 16777216", "--context", "31", "--kv", "sinkq2");
    assertRefused("--context=100, expected 128 to 16777216", "--context", "100", "--kv", "kivi2");
    assertRefused(
        "--context=128 with --steps=8, expected at least 176: sequences grow by 88 tokens",
        "--context",
        "128");
    assertRefused("--steps=12, expected a multiple of 8 up to 4096", "--steps", "12");
    assertRefused("--batch=0, expected 1 to 65536, K, M and G allowed", "--batch", "0");
    assertRefused("--memory=2G, expected 1 to 1073741824, K, M and G allowed", "--memory", "2G");
    assertRefused(
        "--memory=200000, expected more than the 291712 bytes of the weights of Tiny",
        "--memory",
        "200KB");
    assertRefused("--context=8192, expected less: a sequence of fp16 takes ", "--context", "8K");
  }

  @Test
  void aModelThatDoesNotFitIsRefused() {
    assertRefused(
        "--memory=1048576, expected more than the 16059990016 bytes of the weights of llama-3-8b",
        "--shape",
        "llama-3-8b");
  }

  @Test
  void anEngineWithoutADeviceIsRefused() {
    Cli cli = run("--engine", "cpu");
    assertEquals(1, cli.code(), cli.err());
    assertTrue(cli.err().startsWith("sinkq: engine=cpu, expected cuda"), cli.err());
  }
}
