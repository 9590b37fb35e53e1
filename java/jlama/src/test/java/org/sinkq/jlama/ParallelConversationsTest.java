package org.sinkq.jlama;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.github.tjake.jlama.safetensors.prompt.PromptContext;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.sinkq.KvCacheSpec;

/** Eight conversations at a time, 200 turns, some of them cancelled: no leaks and no cross-talk. */
class ParallelConversationsTest {
  private static final int CONVERSATIONS = 8;
  private static final int ANSWER = 12;

  @TempDir Path temp;

  @ParameterizedTest
  @CsvSource({"0, 5", "8, 25"})
  @Timeout(120)
  void eachEqualsItsSoloRun(int idleSessions, int turns) throws Exception {
    long seed = 20260L + idleSessions;
    try (SinkqModel model = load(idleSessions)) {
      List<List<String>> alone = new ArrayList<>();
      for (int i = 0; i < CONVERSATIONS; i++) {
        alone.add(converse(model, seed + i, turns));
        assertTrue(model.stats().sequences() <= 1, "seed=" + seed);
      }
      assertNothingHeld(model, seed);
      List<List<String>> together = new ArrayList<>();
      try (ExecutorService threads = Executors.newFixedThreadPool(CONVERSATIONS)) {
        List<Future<List<String>>> running = new ArrayList<>();
        for (int i = 0; i < CONVERSATIONS; i++) {
          long own = seed + i;
          running.add(threads.submit(() -> converse(model, own, turns)));
        }
        for (Future<List<String>> conversation : running) {
          together.add(conversation.get(100, TimeUnit.SECONDS));
        }
      }
      assertEquals(alone, together, "seed=" + seed);
      assertNothingHeld(model, seed);
      long cancelled =
          together.stream().flatMap(List::stream).filter(t -> t.endsWith("(cancelled)")).count();
      assertTrue(cancelled > turns / 2, cancelled + " turns were cancelled, seed=" + seed);
    }
  }

  private SinkqModel load(int idleSessions) throws IOException {
    Path folder = TinyFolder.write(temp, "llama", 2, 11);
    KvCacheSpec cache =
        KvCacheSpec.builder().maxSequences(CONVERSATIONS).capacityTokens(600).build();
    return SinkqModelSupport.builder(folder.toFile())
        .cache(cache)
        .idleSessions(idleSessions)
        .load();
  }

  private static void assertNothingHeld(SinkqModel model, long seed) {
    assertEquals(0, model.stats().sequences(), "seed=" + seed);
    assertEquals(0, model.stats().pages(), "seed=" + seed);
  }

  /** One conversation, its script drawn from a seed; what each turn said. */
  private static List<String> converse(SinkqModel model, long seed, int turnCount) {
    SplittableRandom random = new SplittableRandom(seed);
    UUID session = UUID.randomUUID();
    StringBuilder history = new StringBuilder("seed " + seed);
    List<String> turns = new ArrayList<>();
    for (int turn = 0; turn < turnCount; turn++) {
      history.append(" q").append(random.nextInt(1000)).append('?');
      int cancelAt = random.nextInt(4) == 0 ? random.nextInt(ANSWER) : Integer.MAX_VALUE;
      turns.add(turn(model, session, history.toString(), cancelAt));
    }
    model.release(session);
    return turns;
  }

  private static String turn(SinkqModel model, UUID session, String history, int cancelAt) {
    StringBuilder said = new StringBuilder();
    int[] pieces = {0};
    PromptContext prompt = PromptContext.of(history);
    int length = model.encodePrompt(prompt).length + ANSWER;
    try {
      model.generate(
          session,
          prompt,
          0,
          length,
          (text, millis) -> {
            said.append(text);
            if (pieces[0]++ == cancelAt) {
              model.cancel(session);
            }
          });
      return said.toString();
    } catch (CancellationException e) {
      return said + "(cancelled)";
    }
  }
}
