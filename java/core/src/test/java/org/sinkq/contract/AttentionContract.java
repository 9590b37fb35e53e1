package org.sinkq.contract;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.sinkq.DType;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.ModelShape;

/** Results are within {@link EngineTraits#tolerance} of fp64 on the dequantized values. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class AttentionContract {
  private static final ModelShape SHAPE = ModelShape.of(2, 4, 2, 64);

  /** Name of the engine. */
  protected abstract String engine();

  List<KvCodec> codecs() {
    return EngineTraits.codecs(engine());
  }

  private Lockstep open(ModelShape shape, KvCodec codec, Data data) {
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .pageTokens(32 * EngineTraits.pageScale(engine(), codec))
            .windowTokens(9)
            .codec(codec)
            .firstSinkLayer(1)
            .capacityTokens(1024)
            .maxSequences(4)
            .build();
    return new Lockstep(engine(), shape, spec, 2, data);
  }

  /** A prompt, a chunk, speculative rows, decode steps. */
  private static void script(Lockstep lockstep) {
    script(lockstep, 1);
  }

  /** The same with pages so many times as long. */
  private static void script(Lockstep lockstep, int scale) {
    Lockstep.Pair pair = lockstep.open();
    for (int rows : new int[] {90 * scale, 50 * scale, 4, 1, 1, 2, 33 * scale}) {
      lockstep.step(pair, rows);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "F32, F16, ARRAY",
    "F32, BF16, STRIDED",
    "F16, F32, STRIDED",
    "F16, F16, ARRAY",
    "BF16, F32, ARRAY",
    "BF16, BF16, STRIDED",
    "F32, F32, STRIDED"
  })
  void elementTypesAndStrides(DType in, DType out, Data.Placement placement) {
    Data data = new Data(11, Data.Style.OUTLIERS, in, out, placement);
    try (Lockstep lockstep = open(SHAPE, KvCodec.INT2, data)) {
      script(lockstep);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 9, 31, 32, 33, 40, 75, 1000})
  void slidingWindow(int tokens) {
    Data data = Data.of(12, Data.Style.OUTLIERS);
    try (Lockstep lockstep = open(SHAPE.withSlidingWindow(tokens), KvCodec.INT2, data)) {
      script(lockstep);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3})
  void someLayersSeeAllTokens(int period) {
    ModelShape shape = ModelShape.of(3, 2, 1, 64).withSlidingWindow(40).withSlidingPeriod(period);
    try (Lockstep lockstep = open(shape, KvCodec.INT2, Data.of(19, Data.Style.OUTLIERS))) {
      script(lockstep);
    }
  }

  @ParameterizedTest
  @MethodSource("codecs")
  void slidingWindowOverEveryCodec(KvCodec codec) {
    Data data = Data.of(13, Data.Style.NORMAL);
    int scale = EngineTraits.pageScale(engine(), codec);
    try (Lockstep lockstep = open(SHAPE.withSlidingWindow(50 * scale), codec, data)) {
      script(lockstep, scale);
    }
  }

  @ParameterizedTest
  @ValueSource(floats = {0.5f, 5, 30})
  void softCap(float cap) {
    Data data = Data.of(14, Data.Style.OUTLIERS);
    try (Lockstep lockstep = open(SHAPE.withLogitsSoftCap(cap), KvCodec.INT2, data)) {
      script(lockstep);
    }
  }

  @ParameterizedTest
  @ValueSource(floats = {0.01f, 1, 3})
  void softmaxScale(float scale) {
    Data data = Data.of(15, Data.Style.NORMAL);
    try (Lockstep lockstep = open(SHAPE.withSoftmaxScale(scale), KvCodec.INT4, data)) {
      script(lockstep);
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "2, 1", "3, 1", "5, 1", "6, 2", "8, 1", "16, 1", "33, 1", "40, 2"})
  void headGroups(int qoHeads, int kvHeads) {
    ModelShape shape = ModelShape.of(2, qoHeads, kvHeads, 64);
    try (Lockstep lockstep = open(shape, KvCodec.INT2, Data.of(16, Data.Style.OUTLIERS))) {
      script(lockstep);
    }
  }

  /**
   * Tokens that repeat have equal weights, whose roundings add up instead of cancelling. Of such
   * values, rotated, adaptive pages keep some that are 3 and 6 times as large as any was.
   */
  @ParameterizedTest
  @MethodSource("codecs")
  void repeatedTokens(KvCodec codec) {
    for (int dim : new int[] {64, 128}) {
      ModelShape shape = ModelShape.of(2, 4, 2, dim);
      try (Lockstep lockstep = open(shape, codec, Data.of(20, Data.Style.TIES))) {
        Lockstep.Pair pair = lockstep.open();
        lockstep.step(pair, 140);
        for (int rows : new int[] {8, 1, 5}) {
          lockstep.step(pair, rows);
        }
      }
    }
  }

  /** One decode step for each number of rows: every width of a query tile. */
  @Test
  void everyNumberOfRows() {
    ModelShape shape = ModelShape.of(1, 2, 1, 64);
    KvCacheSpec spec =
        KvCacheSpec.builder().pageTokens(32).windowTokens(3).capacityTokens(1024).build();
    try (Lockstep lockstep =
        new Lockstep(engine(), shape, spec, 1, Data.of(17, Data.Style.NORMAL))) {
      Lockstep.Pair pair = lockstep.open();
      lockstep.step(pair, 40);
      for (int rows = 1; rows <= 35; rows++) {
        lockstep.step(pair, rows);
      }
    }
  }

  /** Long enough for an engine to divide the pages of a sequence among several workers. */
  @Test
  void longContext() {
    ModelShape shape = ModelShape.of(1, 2, 1, 64);
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .pageTokens(128)
            .firstSinkLayer(0)
            .capacityTokens(6000)
            .maxSequences(2)
            .build();
    Data data = Data.of(18, Data.Style.OUTLIERS);
    try (Lockstep lockstep = new Lockstep(engine(), shape, spec, 2, data)) {
      Lockstep.Pair longer = lockstep.open();
      Lockstep.Pair shorter = lockstep.open();
      for (int i = 0; i < 9; i++) {
        lockstep.step(List.of(longer), new int[] {513}, true);
      }
      lockstep.step(longer, 1);
      lockstep.step(List.of(longer, shorter), new int[] {1, 200}, true);
      lockstep.step(List.of(shorter, longer), new int[] {1, 3}, true);
      StateCheck.verify(lockstep.backend(), longer);
      StateCheck.verify(lockstep.backend(), shorter);
    }
  }
}
