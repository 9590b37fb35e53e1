package org.sinkq.llm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.AttentionMetadata;
import org.sinkq.BackendConfig;
import org.sinkq.CapacityExhaustedException;
import org.sinkq.InvalidArgumentException;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;

/** What a step promises beyond its numbers, on the 2-bit cache. */
class LanguageModelTest {
  private static final int[] LAST = {0};

  @TempDir Path folder;
  private LanguageModel model;
  private AttentionBackend backend;

  @BeforeEach
  void open() {
    model = LanguageModel.open(new TinyModel("llama", 21).write(folder.resolve("tiny.gguf")), 2);
    backend = open(model, 2);
  }

  @AfterEach
  void close() {
    backend.close();
    model.close();
  }

  private static AttentionBackend open(LanguageModel model, int threads) {
    KvCacheSpec cache =
        KvCacheSpec.builder()
            .pageTokens(32)
            .capacityTokens(2 * TinyModel.CONTEXT)
            .maxSequences(4)
            .firstSinkLayer(1)
            .build();
    return AttentionBackends.open(
        BackendConfig.of(model.attentionShape(), cache).withThreads(threads));
  }

  private static int[] tokens(long seed, int n) {
    return new SplittableRandom(seed).ints(n, 0, TinyModel.VOCABULARY).toArray();
  }

  private static float[] prompt(
      LanguageModel model, AttentionBackend backend, KvSequence sequence, int[] tokens) {
    AttentionMetadata metadata = AttentionMetadata.single(sequence, tokens.length);
    return model.forward(backend, metadata, tokens, new int[] {tokens.length - 1})[0];
  }

  @Test
  void tellsWhatItIs() {
    assertEquals(
        new ModelInfo("tiny.gguf", "llama", 2, 4, 2, 64, 300, 50, 244_896, "F32"), model.info());
    assertEquals(ModelShape.of(2, 4, 2, 64), model.attentionShape());
  }

  @Test
  void aRowDoesNotDependOnTheOtherSequences() {
    int[] first = tokens(1, 90);
    int[] second = tokens(2, 40);
    try (KvSequence a = backend.newSequence();
        KvSequence b = backend.newSequence();
        KvSequence alone = backend.newSequence()) {
      float[] expected = prompt(model, backend, alone, first);
      int[] both = Arrays.copyOf(second, 130);
      System.arraycopy(first, 0, both, 40, 90);
      float[][] logits =
          model.forward(
              backend,
              new AttentionMetadata(List.of(b, a), new int[] {0, 40, 130}),
              both,
              new int[] {129, 0});
      assertArrayEquals(expected, logits[0]);
      float[] next = prompt(model, backend, alone, new int[] {7});
      float[][] decoded =
          model.forward(
              backend, AttentionMetadata.decode(List.of(a, b)), new int[] {7, 8}, new int[] {0});
      assertArrayEquals(next, decoded[0]);
    }
  }

  @Test
  void batchesOfSeveralBackendsYieldWhatEachYieldsAlone() {
    int[] first = tokens(6, 100);
    int[] second = tokens(7, 70);
    KvCacheSpec cache = KvCacheSpec.builder().codec(KvCodec.FP16).capacityTokens(300).build();
    try (AttentionBackend dense =
            AttentionBackends.open(BackendConfig.of(model.attentionShape(), cache));
        KvSequence a = backend.newSequence();
        KvSequence b = dense.newSequence();
        KvSequence aAlone = backend.newSequence()) {
      int[] all = IntStream.range(0, 170).toArray();
      float[][] together =
          model.forward(
              List.of(
                  new ForwardBatch(backend, AttentionMetadata.single(a, 100), first),
                  new ForwardBatch(dense, AttentionMetadata.single(b, 70), second)),
              all);
      float[][] alone =
          model.forward(
              backend, AttentionMetadata.single(aAlone, 100), first, Arrays.copyOf(all, 100));
      for (int r = 0; r < 100; r++) {
        assertArrayEquals(alone[r], together[r], "row " + r);
      }
      b.truncate(0);
      float[] last = prompt(model, dense, b, second);
      assertArrayEquals(last, together[169]);
    }
  }

  @Test
  void aBatchThatFailsRollsTheOthersBack() {
    KvCacheSpec cache = KvCacheSpec.builder().pageTokens(32).capacityTokens(64).build();
    try (AttentionBackend small =
            AttentionBackends.open(BackendConfig.of(model.attentionShape(), cache));
        KvSequence a = backend.newSequence();
        KvSequence b = small.newSequence()) {
      int[] tokens = tokens(8, 250);
      assertThrows(
          CapacityExhaustedException.class,
          () ->
              model.forward(
                  List.of(
                      new ForwardBatch(backend, AttentionMetadata.single(a, 250), tokens),
                      new ForwardBatch(small, AttentionMetadata.single(b, 250), tokens)),
                  LAST));
      assertEquals(0, a.length());
      prompt(model, backend, a, tokens);
      assertEquals(250, a.length());
    }
  }

  @Test
  void resultsDoNotDependOnTheNumberOfThreads() {
    int[] prompt = tokens(3, 200);
    float[] expected;
    try (KvSequence sequence = backend.newSequence()) {
      expected = prompt(model, backend, sequence, prompt);
    }
    for (int threads : new int[] {1, 3}) {
      try (LanguageModel other = LanguageModel.open(folder.resolve("tiny.gguf"), threads);
          AttentionBackend otherBackend = open(other, threads);
          KvSequence sequence = otherBackend.newSequence()) {
        assertArrayEquals(expected, prompt(other, otherBackend, sequence, prompt));
      }
    }
  }

  @Test
  void aFailedStepLeavesNoTrace() {
    try (KvSequence sequence = backend.newSequence();
        KvSequence twin = backend.newSequence()) {
      int[] prompt = tokens(4, 70);
      prompt(model, backend, sequence, prompt);
      prompt(model, backend, twin, prompt);
      AttentionMetadata twice =
          new AttentionMetadata(List.of(sequence, sequence), new int[] {0, 1, 2});
      assertThrows(
          InvalidArgumentException.class, () -> model.forward(backend, twice, new int[2], LAST));
      assertEquals(70, sequence.length());
      assertArrayEquals(
          prompt(model, backend, twin, new int[] {5}),
          prompt(model, backend, sequence, new int[] {5}));
    }
  }

  @Test
  void aFullCacheIsReported() {
    KvCacheSpec cache = KvCacheSpec.builder().pageTokens(32).capacityTokens(64).build();
    try (AttentionBackend small =
            AttentionBackends.open(BackendConfig.of(model.attentionShape(), cache));
        KvSequence sequence = small.newSequence()) {
      assertThrows(
          CapacityExhaustedException.class, () -> prompt(model, small, sequence, tokens(5, 250)));
      assertEquals(0, sequence.length());
      prompt(model, small, sequence, tokens(5, 60));
    }
  }

  private void assertRefused(String expected, Executable call) {
    assertEquals(expected, assertThrows(InvalidArgumentException.class, call).getMessage());
  }

  @Test
  void refusesArgumentsThatDoNotFit() {
    KvSequence sequence = backend.newSequence();
    AttentionMetadata two = AttentionMetadata.single(sequence, 2);
    assertRefused(
        "tokens has 3 entries, expected one for each of 2 rows",
        () -> model.forward(backend, two, new int[3], LAST));
    assertRefused(
        "tokens[1]=50, expected 0 to 49",
        () -> model.forward(backend, two, new int[] {0, 50}, LAST));
    assertRefused("batches=[], expected at least one", () -> model.forward(List.of(), LAST));
    assertRefused(
        "logitRows contains 2, expected 0 to 1",
        () -> model.forward(backend, two, new int[2], new int[] {0, 2}));
    assertRefused(
        "301 tokens after 0, expected at most 300 in all: the model's context",
        () -> model.forward(backend, AttentionMetadata.single(sequence, 301), new int[301], LAST));
    assertRefused(
        "threads=-1, expected 0 (one per processor) to 1024",
        () -> LanguageModel.open(folder.resolve("tiny.gguf"), -1));
    assertEquals(0, sequence.length());
  }

  @Test
  void refusesABackendOfAnotherShape() {
    ModelShape shape = ModelShape.of(2, 4, 2, 128);
    KvCacheSpec cache = KvCacheSpec.builder().capacityTokens(128).build();
    try (AttentionBackend other = AttentionBackends.open(BackendConfig.of(shape, cache));
        KvSequence sequence = other.newSequence()) {
      assertRefused(
          "backend's shape=" + shape + ", expected the model's, " + model.attentionShape(),
          () -> model.forward(other, AttentionMetadata.single(sequence, 1), new int[1], LAST));
    }
  }

  @Test
  void refusesToRunWhenClosed() {
    KvSequence sequence = backend.newSequence();
    model.close();
    model.close();
    assertRefused(
        "model=closed, expected an open one",
        () -> model.forward(backend, AttentionMetadata.single(sequence, 1), new int[1], LAST));
  }
}
