package org.sinkq.cli.analyze;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.AttentionMetadata;
import org.sinkq.BackendConfig;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.SinkPolicy;
import org.sinkq.cli.eval.TinyGguf;
import org.sinkq.cli.replay.Replay;
import org.sinkq.cli.replay.Trace;
import org.sinkq.cli.replay.TraceFiles;
import org.sinkq.llm.LanguageModel;

final class AnalysisTest {
  private static final int TOKENS = 200;

  @TempDir Path folder;

  private static BackendConfig config(ModelShape shape, KvCodec codec, int window, int pool) {
    KvCacheSpec cache =
        KvCacheSpec.builder()
            .codec(codec)
            .pageTokens(32)
            .windowTokens(window)
            .sinks(pool == 0 ? SinkPolicy.NONE : new SinkPolicy(pool, 32))
            .firstSinkLayer(0)
            .capacityTokens(400)
            .build();
    return BackendConfig.of(shape, cache).withThreads(2);
  }

  private static Analysis analysis(ModelShape shape, int window, int pool) {
    return new Analysis(
        config(shape, KvCodec.FP16, window, 0),
        config(shape, KvCodec.INT2, window, pool),
        config(shape, KvCodec.INT2, window, 0));
  }

  private static double norm(float[] key) {
    return IntStream.range(0, key.length).mapToDouble(d -> Math.abs(key[d])).sum();
  }

  @Test
  void normsChannelsAndSinksAreThoseOfTheKeys() throws IOException {
    TraceFiles files = TraceFiles.random(4, TOKENS, 4, 2, 64);
    try (Trace trace = Trace.open(files.write(folder.resolve("trace")))) {
      List<Integer> done = new ArrayList<>();
      List<HeadSurvey> heads = analysis(trace.shape(), 8, 3).run(trace, done::add);
      assertEquals(List.of(40, 72, 104, 136, 168, 200), done);
      assertEquals(2, heads.size());
      for (HeadSurvey head : heads) {
        double[] norms = new double[TOKENS];
        double[] channels = new double[64];
        for (int t = 0; t < TOKENS; t++) {
          float[] key = files.k()[t][head.head()];
          norms[t] = norm(key);
          assertEquals(norms[t], head.norms()[t], 1e-3);
          for (int d = 0; d < 64; d++) {
            channels[d] += Math.abs(key[d]) / TOKENS;
          }
        }
        for (int d = 0; d < 64; d++) {
          assertEquals(channels[d], head.channels()[d], 1e-5);
        }
        // 192 tokens have left the window; the first selection was after 40 tokens.
        int[] smallest =
            IntStream.range(0, 192)
                .boxed()
                .sorted(Comparator.comparingDouble(t -> norms[t]))
                .limit(3)
                .mapToInt(t -> t)
                .toArray();
        List<Integer> kept = head.sinks().stream().map(HeadSurvey.Sink::position).toList();
        assertTrue(
            kept.containsAll(Arrays.stream(smallest).boxed().toList()),
            kept + " has not all of " + Arrays.toString(smallest));
        for (HeadSurvey.Sink sink : head.sinks()) {
          assertEquals((sink.position() / 32 + 1) * 32 + 8, sink.since(), "" + sink);
        }
      }
    }
  }

  /** The other command measures the same error over all heads. */
  @Test
  void errorsAreThoseThatReplayFinds() throws IOException {
    TraceFiles files = TraceFiles.random(5, TOKENS, 2, 1, 64);
    try (Trace trace = Trace.open(files.write(folder.resolve("trace")));
        Arena arena = Arena.ofShared()) {
      HeadSurvey head = analysis(trace.shape(), 8, 3).run(trace, done -> {}).getFirst();
      double[] errors = new double[2];
      for (int i = 0; i < 2; i++) {
        BackendConfig tested = config(trace.shape(), KvCodec.INT2, 8, i == 0 ? 3 : 0);
        BackendConfig dense = config(trace.shape(), KvCodec.FP16, 8, 0);
        Replay replay = new Replay(trace, tested, dense, 0);
        errors[i] = replay.run(arena, done -> {}).relativeError();
      }
      assertEquals(errors[0], head.error(), 1e-4);
      assertEquals(errors[1], head.errorWithout(), 1e-4);
      assertTrue(Math.abs(errors[0] - errors[1]) > 1e-3, "both are " + errors[0]);
    }
  }

  @Test
  void aModelSeesTheFp16Cache() throws IOException {
    int[] tokens = new SplittableRandom(6).ints(100, 0, 256).toArray();
    try (LanguageModel model = LanguageModel.open(TinyGguf.write(folder.resolve("t"), 7), 2)) {
      ModelShape shape = model.attentionShape();
      List<HeadSurvey> heads = analysis(shape, 8, 3).run(model, tokens, done -> {});
      assertEquals(TinyGguf.LAYERS, heads.size());
      assertEquals(2, heads.get(2).layer());
      assertTrue(heads.get(2).error() > 0);
      // As much as an analysis that shadows nothing but an fp16 cache: the keys are the same.
      Analysis dense =
          new Analysis(
              config(shape, KvCodec.FP16, 8, 0),
              config(shape, KvCodec.FP16, 8, 0),
              config(shape, KvCodec.FP16, 8, 0));
      List<HeadSurvey> exact = dense.run(model, tokens, done -> {});
      for (int h = 0; h < heads.size(); h++) {
        assertArrayEquals(exact.get(h).norms(), heads.get(h).norms(), 1e-3f);
        assertEquals(0, exact.get(h).error());
      }
    }
  }

  @Test
  void aStepThatIsRolledBackLeavesNothing() {
    ModelShape shape = ModelShape.of(1, 1, 1, 64);
    BackendConfig tested = config(shape, KvCodec.INT2, 8, 3);
    Survey survey = new Survey(shape, 10, 2);
    try (AttentionBackend shadow =
            new ShadowBackend(config(shape, KvCodec.FP16, 8, 0), List.of(tested, tested), survey);
        AttentionBackend other = AttentionBackends.open(tested);
        KvSequence sequence = shadow.newSequence()) {
      shadow.plan(AttentionMetadata.single(sequence, 5)).close();
      assertEquals(0, shadow.stats().tokens());
      assertEquals(other.engine().name(), shadow.engine().name());
      shadow.plan(AttentionMetadata.single(sequence, 5)).close();
    }
  }

  @Test
  void outliersAreFarAboveTheMedian() {
    float[] channels = {1, 1, 4, 4.1f, 1, 1, 0.5f, 9};
    HeadSurvey head = new HeadSurvey(0, 0, new float[] {3, 1, 2}, channels, List.of(), 0, 0);
    assertArrayEquals(new int[] {3, 7}, head.outlierChannels());
    assertEquals(2, head.medianNorm());
    assertArrayEquals(new float[] {1, 2, 3}, head.sortedNorms());
  }
}
