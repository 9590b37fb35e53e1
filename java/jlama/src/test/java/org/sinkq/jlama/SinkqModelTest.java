package org.sinkq.jlama;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.github.tjake.jlama.model.functions.Generator;
import com.github.tjake.jlama.model.functions.Generator.PoolingType;
import com.github.tjake.jlama.safetensors.DType;
import com.github.tjake.jlama.safetensors.prompt.PromptContext;
import com.github.tjake.jlama.tensor.KvBufferCache;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CancellationException;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.sinkq.CapacityExhaustedException;
import org.sinkq.InvalidArgumentException;
import org.sinkq.KvCacheSpec;

/** Jlama's loop on our cache: what is kept, what is given back, what is refused. */
class SinkqModelTest {
  private static final String PROMPT = "All that glitters is not gold, said the crow. ".repeat(5);

  @TempDir static Path temp;

  private Path folder;
  private SinkqModel model;

  @BeforeEach
  void open() throws IOException {
    folder = TinyFolder.write(temp.resolve("tiny"), "llama", 2, 7);
    model = load(0, 4);
  }

  private SinkqModel load(int idleSessions, int maxSequences) {
    KvCacheSpec cache =
        KvCacheSpec.builder().maxSequences(maxSequences).capacityTokens(600).build();
    return SinkqModelSupport.builder(folder.toFile())
        .cache(cache)
        .idleSessions(idleSessions)
        .load();
  }

  @AfterEach
  void close() {
    model.close();
  }

  @Test
  void generatesAndGivesEverythingBack() throws IOException {
    int[] calls = {0};
    Generator.Response response =
        model
            .generateBuilder()
            .prompt(PROMPT)
            .ntokens(300)
            .onTokenWithTimings((text, millis) -> calls[0]++)
            .generate();
    assertEquals(PROMPT.length(), response.promptTokens);
    assertTrue(calls[0] > 0, response.toString());
    assertNothingHeld();
    try (Stream<Path> files = Files.walk(folder)) {
      assertFalse(files.anyMatch(f -> f.toString().endsWith(".page")));
    }
  }

  private void assertNothingHeld() {
    assertEquals(0, model.stats().sequences());
    assertEquals(0, model.stats().pages());
    assertEquals(0, model.stats().tokens());
  }

  @Test
  void chatTemplatesAndEmbeddingsAreJlamas() {
    PromptContext prompt =
        model
            .promptSupport()
            .orElseThrow()
            .builder()
            .addGenerationPrompt(true)
            .addUserMessage("hello")
            .build();
    assertEquals("user: hello\nassistant:", prompt.getPrompt().strip());
    float[] embedding = model.embed("hello", PoolingType.AVG);
    assertArrayEquals(embedding, model.embed("hello", PoolingType.AVG), 1e-6f);
    assertNothingHeld();
  }

  @Test
  void aSessionThatIsUsedAgainStartsOverOrGoesOn() {
    String first = Texts.answer(model, PROMPT, 60);
    String longer = PROMPT + first + " And then?";
    String expected = Texts.answer(model, longer, 40);
    UUID session = UUID.randomUUID();
    assertEquals(first, Texts.answer(model, session, PROMPT, 60));
    assertEquals(expected, Texts.answer(model, session, longer, 40), "nothing kept");
    assertNothingHeld();

    SinkqModel keeping = load(1, 4);
    assertEquals(first, Texts.answer(keeping, session, PROMPT, 60));
    assertEquals(1, keeping.stats().sequences());
    long kept = keeping.stats().tokens();
    assertTrue(kept > PROMPT.length() + 50, kept + " tokens");
    // The prompt differs from what is kept in its last tokens only; the state is the same.
    Texts.answer(keeping, session, longer, 40);
    assertEquals(1, keeping.stats().sequences());
    Texts.answer(keeping, UUID.randomUUID(), "another", 5);
    assertEquals(1, keeping.stats().sequences(), "the older session made room");
    keeping.close();
  }

  @Test
  void whatIsKeptOfASessionIsThePromptsPrefix() {
    SinkqModel keeping = load(2, 2);
    UUID session = UUID.randomUUID();
    Texts.answer(keeping, session, PROMPT, 20);
    int prefix = 20;
    String other = PROMPT.substring(0, prefix) + "something else altogether";
    assertEquals(Texts.answer(keeping, other, 30), Texts.answer(keeping, session, other, 30));
    // Two idle sessions fill the cache; a third generation needs the slot of the older.
    assertEquals(2, keeping.stats().sequences());
    Texts.answer(keeping, "third", 5);
    keeping.release(session);
    assertTrue(keeping.stats().sequences() <= 2);
    keeping.close();
  }

  @Test
  void aListenerThatThrowsEndsTheGeneration() {
    IllegalStateException thrown = new IllegalStateException("the client is gone");
    int[] calls = {0};
    IllegalStateException seen =
        assertThrows(
            IllegalStateException.class,
            () ->
                model.generate(
                    UUID.randomUUID(),
                    PromptContext.of(PROMPT),
                    0,
                    500,
                    (text, millis) -> {
                      calls[0]++;
                      throw thrown;
                    }));
    assertSame(thrown, seen);
    assertEquals(1, calls[0]);
    assertNothingHeld();
  }

  @Test
  void cancelAndInterruptEndTheGeneration() {
    UUID session = UUID.randomUUID();
    CancellationException cancelled =
        assertThrows(
            CancellationException.class,
            () ->
                model.generate(
                    session,
                    PromptContext.of(PROMPT),
                    0,
                    500,
                    (text, millis) -> assertTrue(model.cancel(session))));
    assertEquals("session=" + session + " was cancelled", cancelled.getMessage());
    assertNothingHeld();
    assertFalse(model.cancel(session));
    Thread.currentThread().interrupt();
    try {
      assertThrows(CancellationException.class, () -> Texts.answer(model, PROMPT, 5));
    } finally {
      assertTrue(Thread.interrupted());
    }
    assertNothingHeld();
  }

  @Test
  void aSessionGeneratesOnceAtATime() {
    UUID session = UUID.randomUUID();
    InvalidArgumentException e =
        assertThrows(
            InvalidArgumentException.class,
            () ->
                model.generate(
                    session,
                    PromptContext.of(PROMPT),
                    0,
                    400,
                    (text, millis) -> Texts.answer(model, session, "again", 5)));
    assertEquals(
        "session="
            + session
            + " is generating, expected one that is idle; wait for it or cancel it",
        e.getMessage());
    assertNothingHeld();
  }

  @Test
  void promptsThatDoNotFitAreRefused() {
    assertRefused(
        "prompt of 601 tokens, expected at most 600, the model's context", "x".repeat(600), 600);
    assertRefused(
        "prompt of 11 tokens, expected at most ntokens=10, which counts prompt and answer",
        "x".repeat(10),
        10);
    KvCacheSpec small = KvCacheSpec.builder().capacityTokens(100).build();
    SinkqModel tight = SinkqModelSupport.builder(folder.toFile()).cache(small).load();
    InvalidArgumentException e =
        assertThrows(InvalidArgumentException.class, () -> Texts.answer(tight, "x".repeat(400), 5));
    assertEquals(
        "prompt of 401 tokens, expected at most 287, what the whole cache holds", e.getMessage());
    // It fits, its answer does not.
    assertThrows(CapacityExhaustedException.class, () -> Texts.answer(tight, "x".repeat(280), 99));
    assertEquals(0, tight.stats().pages());
    tight.close();
  }

  private void assertRefused(String message, String prompt, int ntokens) {
    InvalidArgumentException e =
        assertThrows(
            InvalidArgumentException.class,
            () ->
                model.generate(
                    UUID.randomUUID(), PromptContext.of(prompt), 0, ntokens, (text, millis) -> {}));
    assertEquals(message, e.getMessage());
    assertNothingHeld();
  }

  @Test
  void buffersOfTheCallersOwnHaveTheirOwnSequences() {
    KvBufferCache.KvBuffer buffer = new KvBufferCache(model).getEphemeralKvBuffer();
    model.batchForward(new int[] {1, 2, 3, 4, 5}, 0, buffer).close();
    assertEquals(5, model.stats().tokens());
    model.forward(9, 3, buffer, Optional.empty()).close();
    assertEquals(4, model.stats().tokens(), "positions from 3 on were written anew");
    assertMessage(
        "position=7, expected 0 to 4, the tokens of the session so far",
        () -> model.forward(9, 7, buffer, Optional.empty()));
    assertMessage(
        "2 tokens from position=599, expected at most 600 in all, the model's context",
        () -> model.batchForward(new int[] {1, 2}, 599, buffer));
    model.release(buffer);
    assertNothingHeld();
    InvalidArgumentException e =
        assertThrows(
            InvalidArgumentException.class, () -> model.forward(9, 0, buffer, Optional.empty()));
    assertTrue(e.getMessage().endsWith(" is closed, expected an open one"), e.getMessage());
  }

  private static void assertMessage(String message, org.junit.jupiter.api.function.Executable run) {
    assertEquals(message, assertThrows(InvalidArgumentException.class, run).getMessage());
  }

  @Test
  void aClosedModelIsRefused() {
    model.close();
    model.close();
    assertMessage("model=closed, expected an open one", () -> Texts.answer(model, PROMPT, 5));
  }

  @Test
  void theDropInFormsOpenTheSameModel() {
    try (SinkqModel other =
        SinkqModelSupport.loadModel(
            folder.toFile(),
            temp.toFile(),
            DType.F32,
            DType.I8,
            Optional.empty(),
            Optional.empty())) {
      assertEquals(Texts.answer(model, PROMPT, 60), Texts.answer(other, PROMPT, 60));
      assertNotEquals(0, other.stats().maxPages());
    }
  }
}
