package org.sinkq.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The whole command on real weights: the default model, which {@code sinkq.model} names. */
@Tag("model")
final class GenerateModelTest {
  private static final String MODEL = System.getProperty("sinkq.model");
  private static final String PROMPT = "The history of the lighthouse";

  /** Keys and values of 30 layers and 3 KV heads with 64 elements, in binary16. */
  private static final long FP16_BYTES_PER_TOKEN = 2L * 2 * 30 * 3 * 64;

  @TempDir Path temp;

  @Test
  void jsonIsTheLastLineWithItsKeysInOrder() {
    Cli run = generate("--json", "--max-tokens=8", "--temperature=0", PROMPT);
    assertEquals(0, run.code(), run.err());
    assertEquals("", run.err());
    List<String> lines = run.out().lines().toList();
    assertTrue(lines.size() >= 2, run.out());
    Matcher json =
        Pattern.compile(
                "\\{\"promptTokens\":(\\d+),\"generatedTokens\":8,\"tokensPerSecond\":\\d+\\.\\d+,"
                    + "\"engine\":\"cpu\",\"kv\":\"sinkq2\",\"cacheBytes\":(\\d+),"
                    + "\"fp16Bytes\":(\\d+),\"ratio\":(\\d+\\.\\d+),\"sinkTokens\":0}")
            .matcher(lines.get(lines.size() - 1));
    assertTrue(json.matches(), run.out());
    // The last token is chosen and never appended.
    long tokens = Long.parseLong(json.group(1)) + 8 - 1;
    long fp16Bytes = Long.parseLong(json.group(3));
    assertEquals(tokens * FP16_BYTES_PER_TOKEN, fp16Bytes);
    assertEquals(
        (double) fp16Bytes / Long.parseLong(json.group(2)),
        Double.parseDouble(json.group(4)),
        1e-4);
  }

  @Test
  void aTextThatTheModelEndsGoesOnOnRequest() {
    String[] greedy = {"--max-tokens=32", "--temperature=0", "--json", PROMPT};
    assertFalse(generate(greedy).out().contains("\"generatedTokens\":32,"));
    String[] longer = {"--ignore-eos", "--max-tokens=32", "--temperature=0", "--json", PROMPT};
    assertTrue(generate(longer).out().contains("\"generatedTokens\":32,"));
  }

  @Test
  void theSummaryIsOneLineOnStderr() {
    Cli run = generate("--engine=cpu", "--max-tokens=4", PROMPT);
    assertEquals(0, run.code(), run.err());
    assertTrue(
        run.err()
            .matches(
                "4 tokens at .* tokens/s, prompt \\d+ tokens; cache .* MiB, fp16 would take .* KiB:"
                    + " ratio .* \\(6\\.\\d\\d at 32K tokens\\); 0 sink tokens held; engine cpu"
                    + " \\(.*\\), asked for by name\\R"),
        run.err());
  }

  @Test
  void streamingChangesNothingInTheText() {
    String streamed = generate("--max-tokens=12", "--seed=7", PROMPT).out();
    assertEquals(streamed, generate("--max-tokens=12", "--seed=7", "--no-stream", PROMPT).out());
    assertFalse(streamed.isBlank());
  }

  @Test
  void aPromptFromAFileIsTheSamePrompt() throws IOException {
    Path file = Files.writeString(temp.resolve("prompt"), PROMPT);
    assertEquals(
        generate("--max-tokens=6", "--temperature=0", PROMPT).out(),
        generate("--max-tokens=6", "--temperature=0", "--prompt-file=" + file).out());
  }

  @Test
  void theTextEndsBeforeAStop() {
    String whole = generate("--max-tokens=16", "--temperature=0", PROMPT).out().strip();
    String stop = whole.substring(whole.length() / 2, whole.length() / 2 + 3);
    String stopped =
        generate("--max-tokens=16", "--temperature=0", "--stop=" + stop, PROMPT).out().strip();
    assertEquals(whole.substring(0, whole.indexOf(stop)).strip(), stopped);
  }

  @Test
  void chatAnswersAndStatsExplain() {
    Cli run = generate("--chat", "--stats", "--temperature=0", "--max-tokens=40", "What is 2 + 2?");
    assertEquals(0, run.code(), run.err());
    assertTrue(run.out().contains("4"), run.out());
    for (String line : new String[] {"model ", "prompt ", "text ", "cache ", "sinks "}) {
      assertTrue(run.err().contains(line), run.err());
    }
  }

  @Test
  void aLongPromptFillsPagesAndHoldsSinks() throws IOException {
    Path file = Files.writeString(temp.resolve("prompt"), "The sea was calm that day. ".repeat(60));
    Cli run = generate("--json", "--max-tokens=2", "--prompt-file=" + file);
    assertEquals(0, run.code(), run.err());
    // 28 of 30 layers track sinks, 3 in each of 3 KV heads.
    assertTrue(run.out().contains("\"sinkTokens\":" + 28 * 3 * 3 + "}"), run.out());
  }

  @Test
  void aContextThatDoesNotFitIsNamed() {
    Cli tooLong = generate("--context=100000", PROMPT);
    assertEquals(2, tooLong.code());
    assertEquals(
        "sinkq: --context=100000, expected 1 to the model's context of 8192; see 'sinkq generate"
            + " --help'"
            + System.lineSeparator(),
        tooLong.err());
    Cli tooShort = generate("--context=2", PROMPT);
    assertEquals(1, tooShort.code());
    assertTrue(
        tooShort
            .err()
            .matches(
                "sinkq: the prompt has \\d+ tokens, expected at most 2: --context; shorten it or"
                    + " raise --context, up to 8192\\R"),
        tooShort.err());
  }

  @Test
  void aPromptLongerThanTheModelsContextIsRefused() throws IOException {
    Path file = Files.writeString(temp.resolve("prompt"), "word ".repeat(9000));
    Cli run = generate("--prompt-file=" + file);
    assertEquals(1, run.code());
    assertTrue(
        run.err()
            .matches(
                "sinkq: the prompt has \\d+ tokens, expected at most 8192: the model's context;"
                    + " shorten it\\R"),
        run.err());
  }

  private static Cli generate(String... arguments) {
    String[] all = new String[arguments.length + 2];
    all[0] = "generate";
    all[1] = "--model=" + MODEL;
    System.arraycopy(arguments, 0, all, 2, arguments.length);
    return Cli.run(all);
  }
}
