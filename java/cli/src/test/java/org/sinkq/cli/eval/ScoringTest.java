package org.sinkq.cli.eval;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.sinkq.BackendConfig;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.llm.LanguageModel;

/** Figures against plain formulas in binary64. */
final class ScoringTest {
  @TempDir Path folder;

  @Test
  void figuresFollowFromTheLogits() throws IOException {
    int[] tokens = new SplittableRandom(8).ints(120, 0, 256).toArray();
    List<Window> windows = Window.cut(tokens, new int[0], 70, 40);
    try (LanguageModel model = LanguageModel.open(TinyGguf.write(folder.resolve("t"), 9), 2);
        Comparison comparison =
            new Comparison(
                model, List.of(contender(model, KvCodec.FP16), contender(model, KvCodec.INT2)))) {
      List<TokenScores> scores = Scoring.run(comparison, windows, 2, done -> {});
      double[] loss = {0, 0};
      List<Double> divergence = new ArrayList<>();
      int[] same = {0};
      for (Window window : windows) {
        comparison.run(
            window,
            (first, targets, logits) -> {
              for (int i = 0; i < targets; i++) {
                double[] p = softmax(logits[i]);
                double[] q = softmax(logits[targets + i]);
                loss[0] -= Math.log(p[window.tokens()[first + i]]);
                loss[1] -= Math.log(q[window.tokens()[first + i]]);
                double kl = 0;
                for (int v = 0; v < p.length; v++) {
                  kl += p[v] * Math.log(p[v] / q[v]);
                }
                divergence.add(kl);
                same[0] += best(p) == best(q) ? 1 : 0;
              }
            },
            done -> {});
      }
      int n = divergence.size();
      assertEquals(119, n);
      assertEquals(n, scores.get(1).count());
      assertEquals(Math.exp(loss[0] / n), scores.get(0).perplexity(), 1e-3);
      assertEquals(Math.exp(loss[1] / n), scores.get(1).perplexity(), 1e-3);
      double mean = divergence.stream().mapToDouble(d -> d).sum() / n;
      assertEquals(mean, scores.get(1).meanDivergence(), 1e-5);
      assertEquals(same[0] / (double) n, scores.get(1).agreement());
      assertEquals(0, scores.get(0).meanDivergence());
      assertEquals(1, scores.get(0).agreement());
      assertArrayEquals(
          new double[] {0}, new double[] {scores.get(0).divergence(1)}, "fp16 against itself");
    }
  }

  private static Contender contender(LanguageModel model, KvCodec codec) {
    KvCacheSpec cache =
        KvCacheSpec.builder()
            .codec(codec)
            .pageTokens(32)
            .windowTokens(0)
            .capacityTokens(128)
            .build();
    return new Contender("", BackendConfig.of(model.attentionShape(), cache).withThreads(2));
  }

  private static double[] softmax(float[] logits) {
    double[] p = new double[logits.length];
    double sum = 0;
    for (float logit : logits) {
      sum += Math.exp(logit);
    }
    for (int i = 0; i < p.length; i++) {
      p[i] = Math.exp(logits[i]) / sum;
    }
    return p;
  }

  private static int best(double[] p) {
    int best = 0;
    for (int i = 0; i < p.length; i++) {
      best = p[i] > p[best] ? i : best;
    }
    return best;
  }
}
