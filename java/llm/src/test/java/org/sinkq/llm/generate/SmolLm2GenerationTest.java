package org.sinkq.llm.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Properties;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.AttentionMetadata;
import org.sinkq.BackendConfig;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.KvSequence;
import org.sinkq.SinkPolicy;
import org.sinkq.llm.LanguageModel;
import org.sinkq.llm.text.ChatMessage;
import org.sinkq.llm.text.ChatTemplate;
import org.sinkq.llm.text.Tokenizer;

/** From text to text with the model in the system property {@code sinkq.model}. */
@Tag("model")
class SmolLm2GenerationTest {
  /** 439 tokens: three full pages and the window. */
  private static final String STORY =
      """
      Anna kept the lighthouse on Gull Island. Every evening she climbed the two hundred and
      seventeen steps to the lamp room, filled the oil lamp, trimmed the wick and lit it. Then she
      wound the clockwork that turned the lens, and wrote the weather into the log book. Her
      brother Tom lived in the village across the bay. He was a fisherman, and his boat was called
      the Marigold. On Sundays Tom sailed to the island with bread, letters and newspapers, and the
      two of them ate supper together in the small kitchen at the foot of the tower.

      One night in November a storm came up from the south. The wind broke a window of the lamp
      room, and the rain put out the lamp. Anna knew that Tom was still at sea. She nailed a board
      over the window, dried the wick over a candle, and lit the lamp again. All night she stood
      beside it, because the clockwork had stopped and the lens had to be turned by hand. In the
      morning the sea was calm. The Marigold lay in the harbour with a broken mast, and Tom was
      asleep on the kitchen floor.

      "I saw your light go out," he said when he woke, "and I counted. It took you eleven minutes
      to bring it back. Those were the longest eleven minutes of my life." Anna laughed and put the
      kettle on the stove. Then she took the log book and wrote: "Storm from the south. Window
      broken. Lamp out for eleven minutes." She thought for a moment and added: "All boats safe."

      In spring the harbour board sent a new window, a new clock and a letter of thanks. Anna hung
      the letter in the kitchen, next to the picture of their mother, who had kept the light before
      her. Tom painted the Marigold white and blue. When people asked him about the storm, he said
      that he had never been afraid, and when he said so he always looked across the bay to the
      tower on Gull Island, where his sister\
      """;

  private static LanguageModel model;
  private static Tokenizer tokenizer;

  @BeforeAll
  static void open() {
    model = LanguageModel.open(Path.of(System.getProperty("sinkq.model")), 0);
    tokenizer = Tokenizer.of(model.file());
  }

  @AfterAll
  static void close() {
    model.close();
  }

  private static AttentionBackend backend(KvCodec codec, SinkPolicy sinks) {
    return AttentionBackends.open(
        BackendConfig.of(
            model.attentionShape(),
            KvCacheSpec.builder().capacityTokens(2048).codec(codec).sinks(sinks).build()));
  }

  private static GenerationOptions greedy(int maxTokens) {
    return GenerationOptions.of(maxTokens, SamplingOptions.GREEDY);
  }

  /** The expectation comes from another implementation of the model; see src/test/python. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2})
  void continuesAPromptAsTheReferenceDoes(int i) throws IOException {
    Properties expected = new Properties();
    try (InputStream in = LanguageModel.class.getResourceAsStream("smollm2.properties")) {
      expected.load(in);
    }
    String prompt = expected.getProperty(i + ".text");
    assertArrayEquals(
        ids(expected.getProperty(i + ".prompt")), tokenizer.encode(prompt, true), prompt);
    int[] greedy = ids(expected.getProperty(i + ".greedy"));
    int[] text = Arrays.stream(greedy).takeWhile(id -> !tokenizer.isEndOfGeneration(id)).toArray();
    try (AttentionBackend backend = backend(KvCodec.FP16, SinkPolicy.NONE)) {
      GenerationResult result =
          new TextGenerator(model, tokenizer, backend)
              .generate(prompt, greedy(greedy.length), GenerationListener.NONE);
      assertArrayEquals(text, result.tokens());
      assertEquals(tokenizer.decode(text), result.text());
      assertEquals(
          text.length < greedy.length ? StopReason.END_OF_GENERATION : StopReason.MAX_TOKENS,
          result.stopReason());
    }
  }

  private static int[] ids(String list) {
    return Arrays.stream(list.split(",")).mapToInt(Integer::parseInt).toArray();
  }

  @Test
  void twoBitsAreNearlyAsGoodAsSixteen() {
    int[] story = tokenizer.encode(STORY, true);
    int[] prompt = Arrays.copyOf(story, story.length - 80);
    int[] rest = Arrays.copyOfRange(story, story.length - 80, story.length);
    double fp16 = surprise(KvCodec.FP16, SinkPolicy.NONE, prompt, rest);
    double sinkq2 = surprise(KvCodec.INT2, SinkPolicy.DEFAULT, prompt, rest);
    assertTrue(sinkq2 < fp16 + 0.25, "fp16=" + fp16 + ", sinkq2=" + sinkq2);
  }

  /** Mean negative log-likelihood of a text after a prompt that is in the cache. */
  private static double surprise(KvCodec codec, SinkPolicy sinks, int[] prompt, int[] rest) {
    try (AttentionBackend backend = backend(codec, sinks);
        KvSequence sequence = backend.newSequence()) {
      model.forward(backend, AttentionMetadata.single(sequence, prompt.length), prompt, new int[0]);
      int[] rows = new int[rest.length - 1];
      Arrays.setAll(rows, r -> r);
      float[][] logits =
          model.forward(backend, AttentionMetadata.single(sequence, rest.length), rest, rows);
      double sum = 0;
      for (int r : rows) {
        double max = Double.NEGATIVE_INFINITY;
        for (float logit : logits[r]) {
          max = Math.max(max, logit);
        }
        double mass = 0;
        for (float logit : logits[r]) {
          mass += Math.exp(logit - max);
        }
        sum += max + Math.log(mass) - logits[r][rest[r + 1]];
      }
      return sum / rows.length;
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"FP16", "INT2"})
  void writesSensibleText(KvCodec codec) {
    // A model this small repeats itself without sampling.
    GenerationOptions options = GenerationOptions.of(64, SamplingOptions.of(0.7, 1).withTopP(0.9));
    try (AttentionBackend backend =
        backend(codec, codec.isQuantized() ? SinkPolicy.DEFAULT : SinkPolicy.NONE)) {
      GenerationResult result =
          new TextGenerator(model, tokenizer, backend)
              .generate(STORY, options.ignoringEndOfGeneration(), GenerationListener.NONE);
      assertEquals(64, result.generatedTokens());
      assertFalse(result.text().contains("\uFFFD"), result.text());
      // Neither gibberish nor one word over and over.
      List<String> words = List.of(result.text().toLowerCase(Locale.ROOT).split("\\W+"));
      long known = words.stream().filter(STORY.toLowerCase(Locale.ROOT)::contains).count();
      assertTrue(known > 0.6 * words.size(), known + " of " + words.size() + ": " + result.text());
      assertTrue(words.stream().distinct().count() > 0.3 * words.size(), result.text());
      boolean sinks = result.stats().sinkTokens() > 0;
      assertEquals(codec.isQuantized(), sinks, result.stats()::toString);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"FP16", "INT2"})
  void answersAQuestionAndEndsByItself(KvCodec codec) {
    String question = STORY + " lived.\n\nWhat is the capital of France?";
    String prompt =
        ChatTemplate.of(model.file(), tokenizer).render(List.of(ChatMessage.user(question)), true);
    assertTrue(prompt.startsWith("<|im_start|>system\n"), prompt);
    assertTrue(prompt.endsWith("<|im_start|>assistant\n"), prompt);
    try (AttentionBackend backend =
        backend(codec, codec.isQuantized() ? SinkPolicy.DEFAULT : SinkPolicy.NONE)) {
      GenerationResult result =
          new TextGenerator(model, tokenizer, backend)
              .generate(
                  tokenizer.encodeMarkup(prompt, false), greedy(100), GenerationListener.NONE);
      assertEquals(StopReason.END_OF_GENERATION, result.stopReason(), result.text());
      assertTrue(result.text().contains("Paris"), result.text());
      assertTrue(result.stats().pages() > 0, result.stats()::toString);
    }
  }
}
