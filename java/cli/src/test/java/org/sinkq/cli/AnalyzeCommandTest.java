package org.sinkq.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.sinkq.cli.eval.TinyGguf;
import org.sinkq.cli.replay.TraceFiles;
import org.sinkq.llm.safetensors.SafetensorsWriter;
import org.sinkq.llm.safetensors.Tensor;

final class AnalyzeCommandTest {
  private static final String LINE = System.lineSeparator();

  @TempDir Path temp;

  @Test
  void aModelIsShownLayerByLayer() throws IOException {
    Path model = TinyGguf.write(temp.resolve("tiny.gguf"), 3);
    Path text = Files.writeString(temp.resolve("text"), "The sea was calm\n".repeat(30));
    Path report = temp.resolve("report.html");
    Cli run =
        Cli.run("analyze", "--model=" + model, "--text=" + text, "--page=32", "--report=" + report);
    assertEquals(0, run.code(), run.err());
    List<String> lines = run.out().lines().toList();
    assertEquals(
        "Tiny, 510 tokens, 3 layers with 1 KV heads, D = 64; sinkq2: 2 bit, page 32, window 32,"
            + " pool 3, spill 32",
        lines.get(0));
    assertTrue(lines.get(2).matches("layer +least norm +outliers +sinks +error +without"));
    assertTrue(lines.get(3).matches("0 +0\\.\\d\\d +\\d+ +0 +0\\.\\d{4} +0\\.\\d{4}"), run.out());
    assertTrue(lines.get(6).startsWith("mean "), run.out());
    assertTrue(lines.get(8).matches("position +token +heads +since token"), run.out());
    assertEquals("wrote " + report, lines.get(lines.size() - 1));
    String html = Files.readString(report);
    assertEquals(4, html.split("<svg ", -1).length - 1);
    assertTrue(html.contains("<h1>Keys of Tiny</h1>"));
    assertFalse(html.contains("NaN"), html);
  }

  @Test
  void aTraceIsShownAsJson() throws IOException {
    Path trace = TraceFiles.random(1, 200, 4, 2, 64).write(temp.resolve("trace.safetensors"));
    Cli run = Cli.run("analyze", "--trace=" + trace, "--page=32", "--json");
    assertEquals(0, run.code(), run.err());
    assertEquals(1, run.out().lines().count());
    assertTrue(
        run.out()
            .contains(
                "\"tokens\":200,\"layers\":1,\"kvHeads\":2,\"headDim\":64,\"format\":\"sinkq2: "),
        run.out());
    assertTrue(run.out().contains("\"heads\":[{\"layer\":0,\"head\":0,\"smallestNorm\":"));
    assertTrue(run.out().contains("\"sinks\":[{\"position\":"), run.out());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--kv=kivi2|--kv=kivi2 without sinks, expected a cache with --pool 1 or more",
        "--kv=fp16|--kv=fp16 without sinks, expected a cache with --pool 1 or more",
        "--trace=t --text=x|--trace=t with a model or a text, expected only one of them",
        "--trace=t --model=x|--trace=t with a model or a text, expected only one of them",
        "--tokens=0|--tokens=0, expected 2 or more",
        "--engine=tpu|--engine=tpu, expected one of auto, cuda, cpu, cuda-interpreted, cuda-interpreted-h100",
      })
  void misuseIsNamed(String arguments, String problem) {
    Cli run = Cli.run(("analyze " + arguments).split(" "));
    assertEquals("sinkq: " + problem + "; see 'sinkq analyze --help'" + LINE, run.err());
    assertEquals(2, run.code());
  }

  @Test
  void whatCannotBeAnalyzedIsNamed() throws IOException {
    Path brief = TraceFiles.random(1, 100, 1, 1, 64).write(temp.resolve("brief"));
    refuse(
        brief
            + ": 100 tokens used, expected at least 161: the caches keep up to 160 in full"
            + " precision",
        "--trace=" + brief);
    Path report = temp.resolve("no/report.html");
    refuse(
        report + ": no such folder, expected an existing one for --report",
        "--report=" + report,
        "--trace=absent");
    Path odd = temp.resolve("odd");
    SafetensorsWriter.write(
        odd,
        List.of(
            TraceFiles.f32("q", new float[3][4][64]),
            TraceFiles.f32("k", new float[3][2][64]),
            TraceFiles.f32("v", new float[4][2][64])));
    refuse(
        odd + ": v is [4, 2, 64] and k is [3, 2, 64], expected the same shape", "--trace=" + odd);
    SafetensorsWriter.write(
        odd, List.of(Tensor.of("q", "I32", MemorySegment.ofArray(new int[2]), 2, 1, 1)));
    refuse(odd + ": q is I32 [2, 1, 1], expected F32, F16 or BF16", "--trace=" + odd);
    Path model = TinyGguf.write(temp.resolve("tiny.gguf"), 3);
    Path text = Files.writeString(temp.resolve("text"), "x".repeat(2000));
    Cli run = Cli.run("analyze", "--model=" + model, "--text=" + text, "--tokens=1025");
    assertEquals(
        "sinkq: --tokens=1025, expected 2 to 1024: what the model's context holds; see 'sinkq"
            + " analyze --help'"
            + LINE,
        run.err());
  }

  private static void refuse(String problem, String... arguments) {
    String[] all = new String[arguments.length + 1];
    all[0] = "analyze";
    System.arraycopy(arguments, 0, all, 1, arguments.length);
    Cli run = Cli.run(all);
    assertEquals("sinkq: " + problem + LINE, run.err());
    assertEquals(1, run.code());
  }
}
