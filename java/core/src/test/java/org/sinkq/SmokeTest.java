package org.sinkq;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;

/** The README's example, as short as it gets: prompt, decode, commit. */
class SmokeTest {
  private static final int LAYERS = 3;
  private static final int DIM = 64;

  @Test
  void promptThenDecodeFillsPagesAndFindsSinks() {
    ModelShape shape = ModelShape.of(LAYERS, 4, 2, DIM);
    KvCacheSpec cache = KvCacheSpec.builder().pageTokens(32).capacityTokens(1024).build();
    try (AttentionBackend backend =
        AttentionBackends.open(BackendConfig.of(shape, cache).withEngine("cpu").withThreads(2))) {
      KvSequence sequence = backend.newSequence();
      Random random = new Random(1);
      step(backend, sequence, 100, random);
      for (int i = 0; i < 40; i++) {
        step(backend, sequence, 1, random);
      }
      assertEquals(140, sequence.length());
      BackendStats stats = backend.stats();
      assertEquals(3, stats.pages());
      assertEquals(3 * 2, stats.sinkTokens());
      assertEquals(0, sequence.sinkPositions(1, 0).length);
      assertTrue(sequence.sinkPositions(2, 0).length >= 3);
    }
  }

  private static void step(AttentionBackend backend, KvSequence sequence, int rows, Random random) {
    float[] out = new float[rows * 4 * DIM];
    try (AttentionPlan plan = backend.plan(AttentionMetadata.single(sequence, rows))) {
      for (int layer = 0; layer < LAYERS; layer++) {
        plan.run(
            layer,
            TensorView.of(random(random, rows * 4 * DIM), rows, 4, DIM),
            TensorView.of(random(random, rows * 2 * DIM), rows, 2, DIM),
            TensorView.of(random(random, rows * 2 * DIM), rows, 2, DIM),
            TensorView.of(out, rows, 4, DIM));
        for (float x : out) {
          assertTrue(Math.abs(x) < 6, "out=" + x);
        }
      }
      plan.commit();
    }
  }

  private static float[] random(Random random, int n) {
    float[] x = new float[n];
    for (int i = 0; i < n; i++) {
      x[i] = (float) random.nextGaussian();
    }
    return x;
  }
}
