package org.sinkq.jlama;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.github.tjake.jlama.model.AbstractModel;
import com.github.tjake.jlama.model.ModelSupport;
import com.github.tjake.jlama.safetensors.DType;
import com.github.tjake.jlama.safetensors.prompt.PromptContext;
import com.google.common.primitives.Ints;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.UUID;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.llm.LanguageModel;
import org.sinkq.llm.convert.GgufConverter;
import org.sinkq.llm.convert.WeightType;
import org.sinkq.llm.text.Tokenizer;

/**
 * Real weights, converted from the default model's GGUF file, in stock Jlama and in ours.
 *
 * <p>{@code -Dsinkq.jlama.tokens=2000 -Dsinkq.jlama.text=FILE} lets the perplexity be that of more
 * text; Jlama takes minutes for it.
 */
@Tag("model")
class SmolLm2Test {
  private static final Path GGUF = Path.of(System.getProperty("sinkq.model"));

  @TempDir static Path folder;
  private static AbstractModel stock;

  @BeforeAll
  static void convert() throws IOException {
    GgufConverter.convert(GGUF, folder, WeightType.F16);
    stock = ModelSupport.loadModel(folder.toFile(), DType.F32, DType.I8);
  }

  @AfterAll
  static void close() {
    stock.close();
  }

  private static SinkqModel load(KvCacheSpec.Builder cache) {
    return SinkqModelSupport.builder(folder.toFile()).cache(cache.build()).load();
  }

  /** By default our own words, as the tests may not carry a corpus; Jlama garbles all but ASCII. */
  private static String text() throws IOException {
    Path file = Path.of(System.getProperty("sinkq.jlama.text", "../../README.md"));
    return Files.readString(file).replaceAll("[^\\x00-\\x7f]", "");
  }

  private static int[] tokens(int count) throws IOException {
    long[] all = stock.getTokenizer().encode(text());
    assertTrue(all.length >= count, "%d tokens, expected %d".formatted(all.length, count));
    return Arrays.stream(all).limit(count).mapToInt(Ints::checkedCast).toArray();
  }

  @Test
  void jlamaCutsTextIntoTheTokensOfTheFile() throws IOException {
    try (LanguageModel model = LanguageModel.open(GGUF, 1)) {
      int[] expected = Tokenizer.of(model.file()).encode(text(), false);
      assertArrayEquals(expected, tokens(expected.length));
    }
  }

  @Test
  void hiddenStatesAreJlamas() throws IOException {
    int[] tokens = tokens(220);
    float[][] expected = HiddenStates.of(stock, tokens, 200);
    HiddenStates.RelativeError exact = error(KvCodec.FP32, tokens, expected);
    HiddenStates.RelativeError rounded = error(KvCodec.FP16, tokens, expected);
    System.out.printf("hidden states, fp16 against stock Jlama: %s, fp32: %s%n", rounded, exact);
    assertTrue(exact.worst() <= 1e-4, "fp32 " + exact);
    assertTrue(rounded.overall() <= 1e-3, "fp16 " + rounded);
    assertTrue(rounded.mean() <= 1e-3, "fp16 " + rounded);
    assertTrue(rounded.worst() <= 2e-3, "fp16 " + rounded);
  }

  private static HiddenStates.RelativeError error(KvCodec codec, int[] tokens, float[][] expected) {
    try (SinkqModel ours = load(KvCacheSpec.builder().capacityTokens(1024).codec(codec))) {
      return HiddenStates.error(HiddenStates.of(ours, tokens, 200), expected);
    }
  }

  @Test
  void perplexityIsThatOfOurHost() throws IOException {
    int[] tokens = tokens(Integer.getInteger("sinkq.jlama.tokens", 300));
    double jlama;
    try (SinkqModel ours = load(KvCacheSpec.builder().capacityTokens(2048))) {
      jlama = Perplexity.of(ours, tokens);
    }
    double host = Perplexity.ofHost(GGUF, tokens);
    System.out.printf("perplexity of sinkq2: %.3f in Jlama, %.3f in our host%n", jlama, host);
    assertEquals(host, jlama, 0.05 * host);
  }

  @Test
  void memoryAndSpeedAt8K() {
    try (SinkqModel ours = load(KvCacheSpec.builder().capacityTokens(8192))) {
      LongContext comparison = LongContext.run(stock, ours, 8000, 24);
      System.out.println(comparison.describe());
      assertTrue(comparison.memoryRatio() >= 10, comparison.describe());
      assertTrue(comparison.speedRatio() >= 1.3, comparison.describe());
    }
  }

  @Test
  void itAnswers() {
    try (SinkqModel ours = load(KvCacheSpec.builder().capacityTokens(1024))) {
      PromptContext prompt =
          ours.promptSupport()
              .orElseThrow()
              .builder()
              .addGenerationPrompt(true)
              .addUserMessage("What is the capital of France?")
              .build();
      String answer = ours.generate(UUID.randomUUID(), prompt, 0, 80).responseText;
      assertTrue(answer.contains("Paris"), answer);
    }
  }
}
