package org.sinkq.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.sinkq.cli.eval.TinyGguf;

/** The command on a tiny random model: what it prints, and what it refuses. */
final class EvalCommandTest {
  private static final String LINE = System.lineSeparator();
  private static final String SEE = "; see 'sinkq eval --help'" + LINE;

  @TempDir Path temp;
  private Path model;
  private Path text;

  @BeforeEach
  void setUp() throws IOException {
    model = TinyGguf.write(temp.resolve("tiny.gguf"), 2);
    text = Files.writeString(temp.resolve("text"), "The sea was calm that day. ".repeat(30));
  }

  private Cli eval(String... arguments) {
    List<String> all = new ArrayList<>(List.of("eval", "--model=" + model, "--threads=2"));
    all.addAll(List.of(arguments));
    return Cli.run(all.toArray(String[]::new));
  }

  @Test
  void theTableHasARowForEachCache() {
    Cli run = eval("--text=" + text, "--tokens=300", "--kv=sinkq2,kivi2-g32,sinkq2:pool=0:page=64");
    assertEquals(0, run.code(), run.err());
    List<String> lines = run.out().lines().toList();
    assertTrue(
        lines
            .get(0)
            .matches(
                "Tiny, 300 tokens, 299 predicted in 1 window of up to 300; engine cpu; \\d+ s"),
        run.out());
    assertTrue(lines.get(2).matches("kv +bits +ppl +vs fp16 +mean KL +p99 KL +top-1"), run.out());
    assertTrue(lines.get(3).matches("fp16 +16\\.00 .* \\+0\\.00 % .* 100\\.00 %"), run.out());
    assertTrue(lines.get(4).matches("sinkq2 +2\\.38 .*"), run.out());
    assertTrue(lines.get(5).matches("kivi2-g32 +3\\.01 .*"), run.out());
    assertTrue(lines.get(6).matches("sinkq2:pool=0:page=64 +2\\.50 .*"), run.out());
    assertEquals(7, lines.size(), run.out());
  }

  @Test
  void jsonAndReportHaveTheSameFigures() throws IOException {
    Path report = temp.resolve("report.html");
    Cli run =
        eval(
            "--text=" + text,
            "--context=250",
            "--stride=200",
            "--kv=int4",
            "--needle",
            "--needle-lengths=220,240",
            "--needle-depths=0,100",
            "--json",
            "--report=" + report);
    assertEquals(0, run.code(), run.err());
    assertEquals(1, run.out().lines().count());
    assertTrue(
        run.out()
            .startsWith(
                "{\"model\":\"Tiny\",\"textTokens\":810,\"predictedTokens\":809,\"windows\":4,"
                    + "\"context\":250,\"engine\":\"cpu\",\"seconds\":"),
        run.out());
    assertTrue(
        run.out().contains("{\"kv\":\"int4\",\"format\":\"int4: 4 bit, page 128, window 32,"),
        run.out());
    assertTrue(
        run.out().contains("\"passkey\":[{\"tokens\":220,\"depth\":0,\"found\":0.0,\"loss\":"),
        run.out());
    String html = Files.readString(report);
    assertTrue(html.contains("<h1>Cache evaluation: Tiny</h1>"));
    assertTrue(html.contains("<h2>Pass keys found</h2>"));
    assertEquals(4, html.split("<svg ", -1).length - 1);
    assertFalse(html.contains("NaN"), html);
  }

  @Test
  void withoutATextTheModelWritesOneFromASeed() {
    String[] arguments = {"--tokens=180", "--kv=kivi2-g32", "--json"};
    String first = figures(eval(arguments));
    assertTrue(first.contains("\"textTokens\":180,\"predictedTokens\":179,"), first);
    assertEquals(first, figures(eval(arguments)));
    String other = figures(eval("--tokens=180", "--kv=kivi2-g32", "--json", "--seed=2"));
    assertFalse(first.equals(other), other);
  }

  private static String figures(Cli run) {
    assertEquals(0, run.code(), run.err());
    return run.out().replaceAll("\"seconds\":[\\d.]+,", "");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--kv=fp8|Invalid value for option '--kv' (KIND[:NAME=N...]): 'fp8', expected one of fp16,"
            + " int4, kivi2, kivi2-g32, first4, sinkq2, sinkq2a, sinkq2-mass, sinkq2a-mass",
        "--kv=sinkq2:pol=3|Invalid value for option '--kv' (KIND[:NAME=N...]): 'sinkq2:pol=3':"
            + " pol=3, expected one of page=N, window=N, pool=N, spill=N",
        "--kv=sinkq2:pool=x|Invalid value for option '--kv' (KIND[:NAME=N...]): 'sinkq2:pool=x':"
            + " pool=x, expected a number",
        "--kv=sinkq2:page=48|Invalid value for option '--kv' (KIND[:NAME=N...]): 'sinkq2:page=48':"
            + " --page=48, expected 32, 64 or 128",
        "--kv=fp16|--kv=fp16, expected another one to compare with",
        "--tokens=1|--tokens=1, expected 2 or more",
        "--context=1|--context=1, expected 2 or more",
        "--stride=0|--stride=0, expected 1 or more",
        "--needle-depths=101|--needle-depths=101, expected 0 to 100",
        "--needle-trials=0|--needle-trials=0, expected 1 or more",
        "--engine=tpu|--engine=tpu, expected one of auto, cuda, cpu, cuda-interpreted, cuda-interpreted-h100",
        "--tokens=5000|--tokens=5000 without --text, expected 2 to 1024: the model writes one"
            + " context at most",
      })
  void misuseIsNamed(String arguments, String problem) {
    Cli run = eval(arguments.split(" "));
    assertEquals("sinkq: " + problem + SEE, run.err());
    assertEquals(2, run.code());
    assertEquals("", run.out());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--context=2000|--context=2000, expected 2 to the model's context of 1024",
        "--context=161|--context=161, expected 162 to 1024: the caches keep up to 160 tokens in"
            + " full precision",
        "--context=200 --stride=201|--stride=201, expected 1 to the 200 tokens of a window",
        "--context=400 --needle|--context=400 with --needle, expected 512 or more",
        "--context=400 --needle --needle-lengths=401"
            + "|--needle-lengths=401, expected 158 to --context, 400",
      })
  void whatDoesNotFitTheModelOrTheTextIsNamed(String arguments, String problem) {
    String[] given = (arguments + " --kv=sinkq2 --text=" + text).split(" ");
    Cli run = eval(given);
    assertEquals("sinkq: " + problem + SEE, run.err());
    assertEquals(2, run.code());
  }

  @Test
  void aTextThatCannotBeUsedIsNamed() throws IOException {
    Path absent = temp.resolve("absent");
    refuse(absent + ": no such file, expected one with the text", "--text=" + absent);
    Path latin = Files.write(temp.resolve("latin"), new byte[] {'a', (byte) 0xE9});
    refuse(latin + ": is not UTF-8, expected a text in UTF-8", "--text=" + latin);
    Path empty = Files.createFile(temp.resolve("empty"));
    refuse(empty + ": the text is empty, expected a text", "--text=" + empty);
    Path brief = Files.writeString(temp.resolve("brief"), "brief");
    refuse(
        brief
            + ": 5 tokens used, expected at least 258: the caches keep up to 256 in full precision",
        "--text=" + brief);
    refuse(brief + ": has 5 tokens, expected at least --tokens=6", "--text=" + brief, "--tokens=6");
    refuse(
        "the sampled text: 20 tokens used, expected at least 162: the caches keep up to 160 in"
            + " full precision",
        "--tokens=20",
        "--kv=sinkq2");
  }

  @Test
  void aReportThatCannotBeWrittenIsFoundBeforeAnythingElse() throws IOException {
    Path nowhere = temp.resolve("no/report.html");
    refuse(
        nowhere + ": no such folder, expected an existing one for --report",
        "--report=" + nowhere,
        "--text=absent");
    refuse(temp + ": is a folder, expected the name of a file for --report", "--report=" + temp);
  }

  private void refuse(String problem, String... arguments) {
    Cli run = eval(arguments);
    assertEquals("sinkq: " + problem + LINE, run.err());
    assertEquals(1, run.code());
    assertEquals("", run.out());
  }
}
