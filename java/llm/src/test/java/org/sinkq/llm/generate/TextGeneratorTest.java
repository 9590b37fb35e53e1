package org.sinkq.llm.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.BackendConfig;
import org.sinkq.CapacityExhaustedException;
import org.sinkq.InvalidArgumentException;
import org.sinkq.KvCacheSpec;
import org.sinkq.llm.text.Fixtures;
import org.sinkq.llm.text.Tokenizer;

class TextGeneratorTest {
  private static final int CAPACITY = 160;
  private static final int UNLIMITED = 1 << 20;

  /** Records what it hears and stops where it is told to. */
  private static final class Recorder implements GenerationListener {
    final List<String> events = new ArrayList<>();
    final StringBuilder text = new StringBuilder();
    int questionsUntilStop = Integer.MAX_VALUE;

    @Override
    public void onPrefill(int done, int total) {
      events.add(done + "/" + total);
    }

    @Override
    public void onText(String part) {
      events.add(part);
      text.append(part);
    }

    @Override
    public boolean isStopRequested() {
      return questionsUntilStop-- == 0;
    }
  }

  @TempDir Path folder;
  private Tokenizer tokenizer;
  private AttentionBackend backend;
  private final Recorder recorder = new Recorder();

  @BeforeEach
  void open() {
    tokenizer = Fixtures.open(Fixtures.byteLevel(), folder);
    backend = backend(KvCacheSpec.builder().capacityTokens(CAPACITY).build());
  }

  private static AttentionBackend backend(KvCacheSpec spec) {
    return AttentionBackends.open(
        BackendConfig.of(ScriptedModel.SHAPE, spec).withEngine("cpu").withThreads(1));
  }

  @AfterEach
  void everySequenceIsClosed() {
    assertEquals(0, backend.stats().sequences());
    backend.close();
  }

  /** A model that writes a text after a prompt, then ends it. */
  private ScriptedModel writes(String text, int promptTokens) {
    int[] ids = tokenizer.encode(text, false);
    int end = tokenizer.eos().getAsInt();
    return new ScriptedModel(
        tokenizer.vocabularySize(),
        length -> length - promptTokens < ids.length ? ids[length - promptTokens] : end);
  }

  private TextGenerator generator(TextGenerator.ForwardPass model) {
    return new TextGenerator(model, tokenizer.vocabularySize(), UNLIMITED, tokenizer, backend);
  }

  private static GenerationOptions greedy(int maxTokens) {
    return GenerationOptions.of(maxTokens, SamplingOptions.GREEDY);
  }

  private int[] prompt(int tokens) {
    int[] ids = new int[tokens];
    Arrays.fill(ids, tokenizer.encode("x", false)[0]);
    return ids;
  }

  @Test
  void writesUntilTheModelEndsTheText() {
    String text = "Hello \uD83D\uDE80 world";
    ScriptedModel model = writes(text, 5);
    GenerationResult result = generator(model).generate(prompt(5), greedy(100), recorder);
    assertEquals(text, result.text());
    assertEquals(text, recorder.text.toString());
    assertArrayEquals(tokenizer.encode(text, false), result.tokens());
    assertEquals(StopReason.END_OF_GENERATION, result.stopReason());
    assertEquals(5, result.promptTokens());
    assertEquals(result.tokens().length, result.generatedTokens());
    assertEquals(result.generatedTokens(), result.decodeSteps());
    assertEquals(5 + result.decodeSteps(), result.stats().tokens());
    assertEquals(1, result.stats().sequences());
    assertTrue(result.prefillSeconds() > 0 && result.decodeSeconds() > 0);
    assertEquals(result.decodeSteps() / result.decodeSeconds(), result.tokensPerSecond());
    assertEquals("5/5", recorder.events.get(0));
    // The four tokens of the rocket are one event.
    assertTrue(recorder.events.contains("\uD83D\uDE80"), recorder.events.toString());
  }

  @Test
  void aTextPromptGetsTheSpecialTokensOfTheFile() {
    tokenizer =
        Fixtures.open(Fixtures.byteLevel().bool("tokenizer.ggml.add_bos_token", true), folder);
    ScriptedModel model = writes("ok", 3);
    generator(model).generate("xy", greedy(1), GenerationListener.NONE);
    assertArrayEquals(tokenizer.encode("xy", true), model.steps.get(0));
    assertEquals(tokenizer.bos().getAsInt(), model.steps.get(0)[0]);
  }

  @Test
  void stopsAfterAsManyTokensAsAskedFor() {
    ScriptedModel model = writes("xyzxyz", 2);
    GenerationResult result = generator(model).generate(prompt(2), greedy(1), recorder);
    assertEquals(StopReason.MAX_TOKENS, result.stopReason());
    assertEquals(1, result.generatedTokens());
    assertEquals(0, result.decodeSteps());
    assertEquals(0, result.tokensPerSecond());
    assertEquals(1, model.steps.size());
  }

  @Test
  void canIgnoreTheEndOfTheText() {
    GenerationResult result =
        generator(writes("x", 2))
            .generate(prompt(2), greedy(5).ignoringEndOfGeneration(), recorder);
    assertEquals(StopReason.MAX_TOKENS, result.stopReason());
    assertEquals(5, result.generatedTokens());
    assertEquals("x", result.text());
  }

  @Test
  void whatIsIncompleteAtTheEndIsReplaced() {
    GenerationResult result =
        generator(writes("\uD83D\uDE80", 2)).generate(prompt(2), greedy(2), recorder);
    assertEquals("\uFFFD", result.text());
    assertEquals("\uFFFD", recorder.text.toString());
  }

  @Test
  void stopsWhenTheContextIsFull() {
    ScriptedModel model = writes("x".repeat(500), 150);
    TextGenerator generator = generator(model);
    assertEquals(CAPACITY, generator.contextLength());
    GenerationResult result = generator.generate(prompt(150), greedy(500), recorder);
    assertEquals(StopReason.CONTEXT_FULL, result.stopReason());
    assertEquals(CAPACITY, result.stats().tokens());
    assertEquals(CAPACITY - 150, result.decodeSteps());
    assertEquals(CAPACITY - 150 + 1, result.generatedTokens());
  }

  @Test
  void theModelsContextCountsToo() {
    TextGenerator generator =
        new TextGenerator(writes("xxxxxxxx", 3), tokenizer.vocabularySize(), 4, tokenizer, backend);
    assertEquals(4, generator.contextLength());
    assertEquals(2, generator.generate(prompt(3), greedy(9), recorder).generatedTokens());
  }

  @Test
  void aCacheSizedInBytesIsFullWhenItsPagesAre() {
    backend.close();
    KvCacheSpec sized = KvCacheSpec.builder().capacityTokens(CAPACITY).build();
    long bytes =
        AttentionBackends.requiredBytes(BackendConfig.of(ScriptedModel.SHAPE, sized), "cpu");
    backend = backend(KvCacheSpec.builder().capacityBytes(bytes).build());
    TextGenerator generator = generator(writes("x".repeat(9000), 3));
    assertEquals(UNLIMITED, generator.contextLength());
    GenerationResult result = generator.generate(prompt(3), greedy(9000), recorder);
    assertEquals(StopReason.CONTEXT_FULL, result.stopReason());
    assertTrue(result.stats().tokens() >= CAPACITY, "tokens=" + result.stats().tokens());
    assertThrows(
        CapacityExhaustedException.class,
        () -> generator.generate(prompt(2000), greedy(1), recorder));
  }

  @Test
  void refusesAPromptItCannotTakeBeforeAnyWork() {
    ScriptedModel model = writes("x", 0);
    TextGenerator generator = generator(model);
    assertFails(
        "prompt has 161 tokens, expected at most 160: what the context holds",
        generator,
        prompt(161));
    assertFails("prompt has 0 tokens, expected at least one", generator, new int[0]);
    int size = tokenizer.vocabularySize();
    assertFails(
        "prompt[1]=" + size + ", expected 0 to " + (size - 1), generator, new int[] {0, size});
    assertFails("prompt[0]=-1, expected 0 to " + (size - 1), generator, new int[] {-1});
    assertEquals(0, model.steps.size());
    assertEquals(List.of(), recorder.events);
  }

  private void assertFails(String message, TextGenerator generator, int[] prompt) {
    assertEquals(
        message,
        assertThrows(
                InvalidArgumentException.class,
                () -> generator.generate(prompt, greedy(1), recorder))
            .getMessage());
  }

  @Test
  void aPromptOfTheWholeContextYieldsOneToken() {
    GenerationResult result =
        generator(writes("xy", CAPACITY)).generate(prompt(CAPACITY), greedy(9), recorder);
    assertEquals(StopReason.CONTEXT_FULL, result.stopReason());
    assertEquals(1, result.generatedTokens());
  }

  @Test
  void prefillsInChunksAndReportsThem() {
    ScriptedModel model = writes("", 150);
    generator(model).generate(prompt(150), greedy(9).withPrefillChunk(64), recorder);
    assertEquals(List.of("64/150", "128/150", "150/150"), recorder.events);
    assertEquals(List.of(64, 64, 22), model.steps.stream().map(step -> step.length).toList());
  }

  @Test
  void stopsInsideThePrompt() {
    recorder.questionsUntilStop = 1;
    ScriptedModel model = writes("xyz", 150);
    GenerationResult result =
        generator(model).generate(prompt(150), greedy(9).withPrefillChunk(64), recorder);
    assertEquals(StopReason.STOP_REQUESTED, result.stopReason());
    assertEquals(0, result.generatedTokens());
    assertEquals(List.of("64/150"), recorder.events);
    assertEquals(64, result.stats().tokens());
  }

  @Test
  void stopsInsideTheText() {
    recorder.questionsUntilStop = 3; // One for the prompt, one for each of two tokens.
    GenerationResult result =
        generator(writes("x".repeat(100), 5)).generate(prompt(5), greedy(99), recorder);
    assertEquals(StopReason.STOP_REQUESTED, result.stopReason());
    assertEquals(2, result.generatedTokens());
    assertEquals(2, result.decodeSteps());
  }

  @Test
  void failuresReachTheCaller() {
    IllegalStateException failure = new IllegalStateException("broken");
    TextGenerator broken =
        generator(
            (b, metadata, tokens, rows) -> {
              throw failure;
            });
    assertSame(
        failure,
        assertThrows(
            IllegalStateException.class, () -> broken.generate(prompt(1), greedy(1), recorder)));
    GenerationListener deaf =
        new GenerationListener() {
          @Override
          public void onText(String text) {
            throw failure;
          }
        };
    assertSame(
        failure,
        assertThrows(
            IllegalStateException.class,
            () -> generator(writes("x", 1)).generate(prompt(1), greedy(1), deaf)));
  }

  @Test
  void theSeedDecidesTheText() {
    // All logits but one are equal: at temperature 1 every token comes up.
    TextGenerator generator = generator(writes("x".repeat(99), 1));
    GenerationOptions options = GenerationOptions.of(40, SamplingOptions.of(1, 12));
    int[] first = generator.generate(prompt(1), options, recorder).tokens();
    assertArrayEquals(first, generator.generate(prompt(1), options, recorder).tokens());
    GenerationOptions other = GenerationOptions.of(40, SamplingOptions.of(1, 13));
    assertNotEquals(
        Arrays.toString(first),
        Arrays.toString(generator.generate(prompt(1), other, recorder).tokens()));
  }

  @Test
  void refusesATokenizerThatIsTooSmall() {
    int size = tokenizer.vocabularySize();
    assertEquals(
        "tokenizer's vocabularySize=" + size + ", expected at least the model's, " + (size + 1),
        assertThrows(
                InvalidArgumentException.class,
                () -> new TextGenerator(writes("x", 1), size + 1, 9, tokenizer, backend))
            .getMessage());
  }
}
