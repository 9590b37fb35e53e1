package org.sinkq.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.BackendConfig;
import org.sinkq.EngineAccess;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.SinkPolicy;
import org.sinkq.TensorView;
import org.sinkq.cache.SequenceState;

/** The engine gives the same bits on vector and scalar kernels, and finite ones. */
class KernelTwinsTest {
  /**
   * What steps came to.
   *
   * @param out all results
   * @param scores of the window of a head, if its layer tracks sinks
   */
  private record Outcome(float[] out, long[] scores) {
    void assertSame(Outcome other) {
      assertArrayEquals(out, other.out);
      assertArrayEquals(scores, other.scores);
    }
  }

  /** Runs prompt, chunk and decode steps. */
  private static Outcome run(Kernelled provider, ModelShape shape, KvCacheSpec spec, int threads) {
    BackendConfig config = BackendConfig.of(shape, spec).withThreads(threads);
    Random random = new Random(5);
    int[] steps = {150, 1, 7, 60, 2};
    float[] all = new float[220 * shape.numLayers() * shape.numQoHeads() * shape.headDim()];
    long[] scores;
    int written = 0;
    try (AttentionBackend backend = EngineAccess.open(config, provider)) {
      KvSequence sequence = backend.newSequence();
      for (int rows : steps) {
        try (AttentionPlan plan = backend.plan(AttentionMetadata.single(sequence, rows))) {
          for (int layer = 0; layer < shape.numLayers(); layer++) {
            TensorView out = tensor(null, rows, shape.numQoHeads(), shape.headDim());
            plan.run(
                layer,
                tensor(random, rows, shape.numQoHeads(), shape.headDim()),
                tensor(random, rows, shape.numKvHeads(), shape.headDim()),
                tensor(random, rows, shape.numKvHeads(), shape.headDim()),
                out);
            float[] result = (float[]) out.segment().heapBase().orElseThrow();
            System.arraycopy(result, 0, all, written, result.length);
            written += result.length;
          }
          plan.commit();
        }
      }
      scores = scores(backend, sequence);
    }
    assertEquals(all.length, written);
    return new Outcome(all, scores);
  }

  private static long[] scores(AttentionBackend backend, KvSequence sequence) {
    SequenceState state = EngineAccess.state(sequence);
    if (EngineAccess.geometry(backend).trackedHead(1, 0) < 0) {
      return new long[0];
    }
    return IntStream.range(state.flushedTokens(), state.length())
        .mapToLong(position -> EngineAccess.engine(backend).readScore(1, 0, state, position))
        .toArray();
  }

  private static TensorView tensor(Random random, int rows, int heads, int dim) {
    float[] x = new float[rows * heads * dim];
    for (int i = 0; random != null && i < x.length; i++) {
      x[i] = (float) random.nextGaussian();
    }
    return TensorView.of(x, rows, heads, dim);
  }

  @ParameterizedTest
  @CsvSource({
    "INT2, 64, 4, 2",
    "INT2, 80, 3, 1",
    "INT4, 192, 2, 2",
    "FP16, 96, 8, 1",
    "FP32, 128, 2, 1",
    "INT2, 256, 16, 1",
    "INT2_ADAPTIVE, 64, 9, 3",
    "INT2_ADAPTIVE, 80, 3, 1",
    "INT2_ADAPTIVE, 256, 16, 1"
  })
  void resultsAreTheSame(KvCodec codec, int dim, int qoHeads, int kvHeads) {
    ModelShape shape = ModelShape.of(2, qoHeads, kvHeads, dim).withLogitsSoftCap(20);
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .pageTokens(64)
            .windowTokens(11)
            .codec(codec)
            .firstSinkLayer(1)
            .sinks(new SinkPolicy(3, 8, SinkPolicy.Selection.MOST_ATTENDED))
            .capacityTokens(300)
            .build();
    List<Kernelled> both = Kernelled.both();
    Outcome scalar = run(both.getLast(), shape, spec, 1);
    assertEquals(codec.isQuantized(), scalar.scores.length > 0);
    scalar.assertSame(run(both.getFirst(), shape, spec, 2));
    scalar.assertSame(run(both.getLast(), shape, spec, 3));
  }

  /**
   * Layers share a step's memory. What an fp32 layer leaves in lanes that the next layer does not
   * fill can look like fp16 NaN.
   */
  @Test
  void aWiderLayersLeftoversDoNoHarm() {
    ModelShape shape = ModelShape.of(4, 1, 1, 64);
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .pageTokens(32)
            .windowTokens(0)
            .codec(KvCodec.FP16)
            .codec(0, KvCodec.FP32)
            .codec(2, KvCodec.FP32)
            .capacityTokens(300)
            .build();
    Outcome scalar = run(Kernelled.both().getLast(), shape, spec, 1);
    for (float x : scalar.out) {
      assertTrue(Float.isFinite(x), "result=" + x);
    }
    scalar.assertSame(run(Kernelled.both().getFirst(), shape, spec, 1));
  }
}
