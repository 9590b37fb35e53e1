package org.sinkq.contract;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.BackendConfig;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.SinkPolicy;
import org.sinkq.TensorView;

/** Codes, scales, masks, sink tables and dense rows are those of the oracle, bit for bit. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class BitsContract {
  /** Query and KV heads: MHA with one head, MQA, GQA, a group of three. */
  private static final int[][] HEADS = {{1, 1}, {2, 1}, {4, 2}, {3, 1}, {2, 2}};

  private static final int[] WINDOWS = {32, 0, 7, 33, 1};

  /** Name of the engine. */
  protected abstract String engine();

  /** One combination of the settings that every engine supports. */
  record Setting(int dim, int page, KvCodec codec, int[] heads, int window) {
    @Override
    public String toString() {
      return "D=%d, page %d, %s, heads %d/%d, window %d"
          .formatted(dim, page, codec, heads[0], heads[1], window);
    }
  }

  List<Setting> settings() {
    List<Setting> all = new ArrayList<>();
    for (int dim : ModelShape.HEAD_DIMS.stream().sorted().toList()) {
      for (int page : new int[] {32, 64, 128}) {
        for (KvCodec codec : EngineTraits.codecs(engine())) {
          int i = all.size();
          if (EngineTraits.hasPages(engine(), codec, page)) {
            // Not in step with the codecs.
            int[] heads = HEADS[(i + i / HEADS.length) % HEADS.length];
            all.add(new Setting(dim, page, codec, heads, WINDOWS[i / 3 % WINDOWS.length]));
          }
        }
      }
    }
    return all;
  }

  @ParameterizedTest
  @MethodSource("settings")
  void promptChunksAndDecode(Setting s) {
    ModelShape shape = ModelShape.of(2, s.heads[0], s.heads[1], s.dim);
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .pageTokens(s.page)
            .windowTokens(s.window)
            .codec(s.codec)
            .firstSinkLayer(1)
            .sinks(new SinkPolicy(3, 4))
            .capacityTokens(4 * s.page + s.window)
            .build();
    Data data = Data.of(s.hashCode(), Data.Style.OUTLIERS);
    try (Lockstep lockstep = new Lockstep(engine(), shape, spec, 2, data)) {
      Lockstep.Pair pair = lockstep.open();
      lockstep.step(pair, s.window + s.page + s.page / 2);
      lockstep.step(pair, s.page / 2 - 1);
      lockstep.step(pair, 1);
      lockstep.step(pair, 1);
      lockstep.step(pair, s.page + 3);
    }
  }

  @ParameterizedTest
  @MethodSource("styles")
  void rareNumbers(Data.Style style, KvCodec codec) {
    ModelShape shape = ModelShape.of(1, 2, 2, 80).withSoftmaxScale(1e-6f);
    int scale = EngineTraits.pageScale(engine(), codec);
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .pageTokens(32 * scale)
            .windowTokens(5)
            .codec(codec)
            .firstSinkLayer(0)
            .capacityTokens(512 * scale)
            .build();
    try (Lockstep lockstep = new Lockstep(engine(), shape, spec, 1, Data.of(7, style))) {
      Lockstep.Pair pair = lockstep.open();
      lockstep.step(pair, 150 * scale);
      lockstep.step(pair, 40 * scale);
      // Reopened rows can be dequantized to a little more than the largest fp16 number.
      lockstep.truncate(pair, 70 * scale);
      StateCheck.verify(lockstep.backend(), pair);
      lockstep.step(pair, 60 * scale);
    }
  }

  List<Arguments> styles() {
    List<Arguments> all = new ArrayList<>();
    for (Data.Style style : List.of(Data.Style.TIES, Data.Style.EXTREME)) {
      for (KvCodec codec : EngineTraits.codecs(engine())) {
        all.add(Arguments.of(style, codec));
      }
    }
    return all;
  }

  /**
   * Scores are sums of keys as stored. Both of the first keys round to 1; as handed over, the
   * second one would be smaller.
   */
  @Test
  void scoresAreThoseOfRoundedKeys() {
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .pageTokens(32)
            .windowTokens(0)
            .firstSinkLayer(0)
            .sinks(new SinkPolicy(1, 0))
            .capacityTokens(64)
            .build();
    float[] k = new float[32 * 64];
    for (int t = 0; t < 32; t++) {
      k[t * 64 + 5] = t == 0 ? 1.0004f : t == 1 ? -1.0002f : 5;
    }
    try (AttentionBackend backend =
        AttentionBackends.open(
            BackendConfig.of(ModelShape.of(1, 1, 1, 64), spec).withEngine(engine()))) {
      KvSequence sequence = backend.newSequence();
      TensorView x = TensorView.of(k, 32, 1, 64);
      try (AttentionPlan plan = backend.plan(AttentionMetadata.single(sequence, 32))) {
        plan.run(0, x, x, x, TensorView.of(new float[k.length], 32, 1, 64));
        plan.commit();
      }
      assertArrayEquals(new int[] {0}, sequence.sinkPositions(0, 0));
    }
  }

  @Test
  void everyLayerHasItsOwnCodecAndPolicy() {
    ModelShape shape = ModelShape.of(5, 4, 2, 64);
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .pageTokens(32)
            .windowTokens(3)
            .codec(0, EngineTraits.widest(engine()))
            .codec(1, KvCodec.FP16)
            .codec(2, KvCodec.INT4)
            .sinks(2, false)
            .codec(4, KvCodec.INT4)
            .capacityTokens(512)
            .build();
    try (Lockstep lockstep =
        new Lockstep(engine(), shape, spec, 2, Data.of(3, Data.Style.OUTLIERS))) {
      Lockstep.Pair pair = lockstep.open();
      lockstep.step(pair, 75);
      lockstep.step(pair, 1);
      lockstep.step(pair, 100);
      lockstep.truncate(pair, 50);
      StateCheck.verify(lockstep.backend(), pair);
      lockstep.step(pair, 77);
    }
  }
}
