package org.sinkq.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.sinkq.cli.models.ModelStores;

/** What goes wrong before a model runs; {@link GenerateModelTest} has the rest. */
final class GenerateCommandTest {
  private static final String LINE = System.lineSeparator();

  @TempDir Path temp;

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--seed=1|a prompt is missing, expected PROMPT or --prompt-file",
        "--max-tokens=0 text|--max-tokens=0, expected 1 or more",
        "--temperature=-1 text|--temperature=-1.0, expected 0 (greedy) to 100.0",
        "--top-k=-1 text|--top-k=-1, expected 0 (all) or more",
        "--top-p=0 text|--top-p=0.0, expected more than 0, up to 1 (all)",
        "--min-p=1 text|--min-p=1.0, expected 0 (none) or more, below 1",
        "--stop= text|--stop is empty, expected a text",
        "--kv=fp16 --pool=3 text"
            + "|--pool=3 with --kv fp16, expected a quantized cache: sinks are exact in a dense one",
        "--engine=tpu text|--engine=tpu, expected one of auto, cuda, cpu, cuda-interpreted, cuda-interpreted-h100",
        "--prompt-file=a text|PROMPT and --prompt-file=a, expected only one of them",
      })
  void misuseIsNamed(String arguments, String problem) {
    Cli run = Cli.run(("generate " + arguments).split(" "));
    assertEquals("sinkq: " + problem + "; see 'sinkq generate --help'" + LINE, run.err());
    assertEquals(2, run.code());
    assertEquals("", run.out());
  }

  @Test
  void anEmptyPromptIsMisuse() {
    Cli run = Cli.run("generate", "");
    assertEquals(
        "sinkq: PROMPT is empty, expected a text; see 'sinkq generate --help'" + LINE, run.err());
    assertEquals(2, run.code());
  }

  @Test
  void aPromptFileThatCannotBeUsedIsNamed() throws IOException {
    Path absent = temp.resolve("absent");
    fail(absent + ": no such file, expected one with the prompt", "--prompt-file=" + absent);
    Path empty = Files.createFile(temp.resolve("empty"));
    fail(empty + ": the prompt is empty, expected a text", "--prompt-file=" + empty);
    Path latin = Files.write(temp.resolve("latin"), new byte[] {'a', (byte) 0xE9});
    fail(latin + ": is not UTF-8, expected a text in UTF-8", "--prompt-file=" + latin);
  }

  @Test
  void aModelThatCannotBeUsedIsNamed() throws IOException {
    Path absent = temp.resolve("absent.gguf");
    fail(absent + ": no such file, expected a GGUF file", "--model=" + absent, "text");
    Path text =
        Files.writeString(temp.resolve("text.gguf"), "no model, a text long enough for a header");
    Cli run = Cli.run("generate", "--model=" + text, "text");
    assertEquals(1, run.code());
    assertEquals(1, run.err().lines().count(), run.err());
    assertTrue(run.err().startsWith("sinkq: " + text + ": "), run.err());
    assertTrue(run.err().contains("expected"), run.err());
  }

  @Test
  void aDefaultModelThatCannotBeFetchedIsOneLine() {
    Cli run = Cli.run(ModelStores.unreachable(temp), "generate", "text");
    assertEquals("sinkq: cannot fetch tiny==1.0: no network here" + LINE, run.err());
    assertEquals(1, run.code());
  }

  private static void fail(String problem, String... arguments) {
    String[] all = new String[arguments.length + 1];
    all[0] = "generate";
    System.arraycopy(arguments, 0, all, 1, arguments.length);
    Cli run = Cli.run(all);
    assertEquals("sinkq: " + problem + LINE, run.err());
    assertEquals(1, run.code());
  }
}
