package org.sinkq.cli.eval;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.AttentionMetadata;
import org.sinkq.BackendConfig;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.KvSequence;
import org.sinkq.SinkPolicy;
import org.sinkq.llm.LanguageModel;

/** A comparison computes what decoding token by token computes, for every cache at once. */
final class ComparisonTest {
  private static final int TOKENS = 333;

  @TempDir Path folder;
  private LanguageModel model;
  private int[] tokens;

  @BeforeEach
  void open() throws IOException {
    model = LanguageModel.open(TinyGguf.write(folder.resolve("tiny.gguf"), 5), 2);
    tokens = new SplittableRandom(6).ints(TOKENS, 0, 256).toArray();
  }

  @AfterEach
  void close() {
    model.close();
  }

  private Contender contender(KvCodec codec, int page, int window, SinkPolicy sinks) {
    KvCacheSpec cache =
        KvCacheSpec.builder()
            .codec(codec)
            .pageTokens(page)
            .windowTokens(window)
            .sinks(sinks)
            .firstSinkLayer(1)
            .capacityTokens(TOKENS)
            .build();
    return new Contender(
        codec + "", BackendConfig.of(model.attentionShape(), cache).withThreads(2));
  }

  private List<Contender> contenders() {
    return List.of(
        contender(KvCodec.FP16, 128, 32, SinkPolicy.NONE),
        contender(KvCodec.INT2, 128, 32, SinkPolicy.DEFAULT),
        contender(KvCodec.INT2, 32, 128, SinkPolicy.NONE),
        contender(KvCodec.INT4, 64, 7, new SinkPolicy(2, 1)),
        contender(KvCodec.INT2, 32, 0, new SinkPolicy(5, 50)));
  }

  /** Logits after each token, one step of {@code rows} tokens after another. */
  private float[][] decode(Contender contender, int rows) {
    float[][] logits = new float[TOKENS - 1][];
    try (AttentionBackend backend = AttentionBackends.open(contender.config());
        KvSequence sequence = backend.newSequence()) {
      for (int from = 0; from < logits.length; from += rows) {
        int count = Math.min(rows, logits.length - from);
        int[] all = new int[count];
        Arrays.setAll(all, i -> i);
        float[][] step =
            model.forward(
                backend,
                AttentionMetadata.single(sequence, count),
                Arrays.copyOfRange(tokens, from, from + count),
                all);
        System.arraycopy(step, 0, logits, from, count);
      }
    }
    return logits;
  }

  @Test
  void everyPredictionIsThatOfDecodingTokenByToken() {
    List<Contender> contenders = contenders();
    float[][][] compared = new float[contenders.size()][TOKENS - 1][];
    try (Comparison comparison = new Comparison(model, contenders)) {
      comparison.run(
          new Window(tokens, 1),
          (first, targets, logits) -> {
            for (int i = 0; i < logits.length; i++) {
              compared[i / targets][first - 1 + i % targets] = logits[i];
            }
          },
          done -> {});
    }
    for (int c = 0; c < contenders.size(); c++) {
      float[][] decoded = decode(contenders.get(c), 1);
      for (int row = 0; row < decoded.length; row++) {
        String place = "contender " + c + ", row " + row;
        assertArrayEquals(decoded[row], compared[c][row], 2e-4f, place);
      }
    }
  }

  /** The test above could not fail if steps of any size gave the same. */
  @Test
  void longerStepsWouldNotBe() {
    Contender sinks = contenders().get(1);
    float[][] decoded = decode(sinks, 1);
    float[][] prompt = decode(sinks, TOKENS - 1);
    double distance = 0;
    for (int v = 0; v < decoded[0].length; v++) {
      distance = Math.max(distance, Math.abs(decoded[TOKENS - 2][v] - prompt[TOKENS - 2][v]));
    }
    assertFalse(distance < 0.01, "largest difference " + distance);
  }

  @Test
  void onlyTheTargetsOfAWindowAreReported() {
    int[] seen = new int[TOKENS];
    try (Comparison comparison = new Comparison(model, contenders().subList(0, 2))) {
      int[] fed = {0};
      comparison.run(
          new Window(tokens, 200),
          (first, targets, logits) -> {
            assertEquals(2 * targets, logits.length);
            for (int i = 0; i < targets; i++) {
              seen[first + i]++;
            }
          },
          done -> fed[0] = done);
      assertEquals(TOKENS - 1, fed[0]);
    }
    for (int i = 0; i < TOKENS; i++) {
      assertEquals(i < 200 ? 0 : 1, seen[i], "token " + i);
    }
  }

  @Test
  void sizesCountEverythingInAPage() {
    try (Comparison comparison = new Comparison(model, contenders())) {
      List<Comparison.Size> sizes = comparison.sizes();
      // 12 bytes of indices for each page of 128 tokens, 3 layers, 1 head, 64 keys and values.
      double index = 12 * 8 / (128 * 3 * 128.0);
      assertEquals(16 + index, sizes.get(0).bitsPerElement(), 1e-9);
      // Keys 2 + 32 / 128, values 2 + 32 / 64, and two of three layers have a mask.
      double mask = 2 / 3.0 / 128;
      assertEquals(2.375 + index + mask, sizes.get(1).bitsPerElement(), 1e-9);
      // Keys 2 + 32 / 32, values 2 + 32 / 64.
      assertEquals(2.75 + 4 * index, sizes.get(2).bitsPerElement(), 1e-9);
    }
  }
}
