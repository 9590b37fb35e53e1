package org.sinkq.contract;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.BackendStats;
import org.sinkq.DType;
import org.sinkq.InvalidArgumentException;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.ModelShape;
import org.sinkq.TensorView;

/** Rows that are appended without attention leave the bits that a run leaves. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class AppendContract {
  private static final int LAYERS = 3;
  private static final int DIM = 64;

  /** Name of the engine. */
  protected abstract String engine();

  List<KvCodec> codecs() {
    return EngineTraits.codecs(engine());
  }

  private Lockstep open(KvCodec codec, Data data) {
    int scale = EngineTraits.pageScale(engine(), codec);
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .pageTokens(32 * scale)
            .windowTokens(9)
            .codec(codec)
            .firstSinkLayer(1)
            .capacityTokens(512 * scale)
            .maxSequences(3)
            .build();
    return new Lockstep(engine(), ModelShape.of(LAYERS, 4, 2, DIM), spec, 2, data);
  }

  private static void append(Lockstep lockstep, List<Lockstep.Pair> pairs, int... rows) {
    try (Lockstep.OpenStep step = lockstep.begin(pairs, rows)) {
      for (int layer = LAYERS - 1; layer >= 0; layer--) {
        step.append(layer);
      }
      step.commit();
    }
    pairs.forEach(pair -> StateCheck.verify(lockstep.backend(), pair));
  }

  /** Prompts longer than the window's ring, page by page, and single rows; then attention. */
  @ParameterizedTest
  @MethodSource("codecs")
  void appendedRowsAreAttendedLater(KvCodec codec) {
    int scale = EngineTraits.pageScale(engine(), codec);
    try (Lockstep lockstep = open(codec, Data.of(61, Data.Style.OUTLIERS))) {
      Lockstep.Pair a = lockstep.open();
      Lockstep.Pair b = lockstep.open();
      append(lockstep, List.of(a, b), 150 * scale, 40 * scale);
      append(lockstep, List.of(b), 1);
      lockstep.step(List.of(b, a), new int[] {1, 1}, true);
      append(lockstep, List.of(b, a), 32 * scale, 3);
      lockstep.step(a, 20 * scale);
      lockstep.step(b, 1);
    }
  }

  @ParameterizedTest
  @CsvSource({"F16, ARRAY", "BF16, STRIDED", "F32, STRIDED"})
  void elementTypesAndStrides(DType type, Data.Placement placement) {
    Data data = new Data(62, Data.Style.OUTLIERS, type, DType.F32, placement);
    try (Lockstep lockstep = open(KvCodec.INT2, data)) {
      Lockstep.Pair pair = lockstep.open();
      append(lockstep, List.of(pair), 90);
      append(lockstep, List.of(pair), 35);
      lockstep.step(pair, 1);
    }
  }

  @ParameterizedTest
  @CsvSource({"0", "1", "2"})
  void aStepRunsSomeLayersAndAppendsOthers(int ran) {
    try (Lockstep lockstep = open(KvCodec.INT2, Data.of(63, Data.Style.OUTLIERS))) {
      Lockstep.Pair pair = lockstep.open();
      for (int rows : new int[] {77, 1, 40, 60}) {
        try (Lockstep.OpenStep step = lockstep.begin(List.of(pair), new int[] {rows})) {
          for (int layer = 0; layer < LAYERS; layer++) {
            if (layer == ran) {
              step.run(layer);
            } else {
              step.append(layer);
            }
          }
          step.commit();
        }
        StateCheck.verify(lockstep.backend(), pair);
      }
    }
  }

  @Test
  void rollbackLeavesNoTrace() {
    try (Lockstep lockstep = open(KvCodec.INT2, Data.of(64, Data.Style.OUTLIERS))) {
      Lockstep.Pair pair = lockstep.open();
      append(lockstep, List.of(pair), 70);
      BackendStats before = lockstep.backend().stats();
      for (int layers = 0; layers <= LAYERS; layers++) {
        try (Lockstep.OpenStep step = lockstep.begin(List.of(pair), new int[] {80})) {
          for (int layer = 0; layer < layers; layer++) {
            step.append(layer);
          }
        }
        assertEquals(before, lockstep.backend().stats());
        StateCheck.verify(lockstep.backend(), pair);
      }
      lockstep.step(pair, 33);
    }
  }

  @Test
  void whatRunRefusesIsRefusedInTheSameWords() {
    try (Lockstep lockstep = open(KvCodec.INT2, Data.of(65, Data.Style.OUTLIERS))) {
      Lockstep.Pair pair = lockstep.open();
      append(lockstep, List.of(pair), 50);
      float[] bad = new float[40 * 2 * DIM];
      bad[(7 * 2 + 1) * DIM + 5] = Float.NaN;
      TensorView good = TensorView.of(new float[bad.length], 40, 2, DIM);
      TensorView spoilt = TensorView.of(bad, 40, 2, DIM);
      String element = " at layer 1, head 1, position 57, channel 5, expected a finite number";
      String range = element + " within the fp16 range";
      refusedForGood(lockstep, pair, good, spoilt, "value=NaN" + range);
      refusedForGood(lockstep, pair, spoilt, good, "key=NaN" + range);
      lockstep.step(pair, 40);
    }
  }

  private static void refusedForGood(
      Lockstep lockstep, Lockstep.Pair pair, TensorView k, TensorView v, String message) {
    BackendStats before = lockstep.backend().stats();
    TensorView good = TensorView.of(new float[k.tokens() * 2 * DIM], k.tokens(), 2, DIM);
    AttentionPlan plan =
        lockstep.backend().plan(AttentionMetadata.single(pair.sequence(), k.tokens()));
    plan.append(0, good, good);
    refused(message, () -> plan.append(1, k, v));
    refused("plan=rolled back after an error, expected an open one", plan::commit);
    refused(
        "plan=rolled back after an error, expected an open one", () -> plan.append(1, good, good));
    plan.close();
    assertEquals(before, lockstep.backend().stats());
    StateCheck.verify(lockstep.backend(), pair);
  }

  @Test
  void aLayerIsEitherRunOrAppended() {
    try (Lockstep lockstep = open(KvCodec.INT2, Data.of(66, Data.Style.OUTLIERS))) {
      Lockstep.Pair pair = lockstep.open();
      Lockstep.OpenStep step = lockstep.begin(List.of(pair), new int[] {50});
      step.run(0);
      step.append(1);
      refused("layer=0, expected one that this plan has not run yet", () -> step.append(0));
      refused("layer=1, expected one that this plan has not run yet", () -> step.append(1));
      refused("layer=1, expected one that this plan has not run yet", () -> step.run(1));
      refused("layer=3, expected 0 to 2", () -> step.append(3));
      refused("layer 2 has not been run, expected all 3 layers before commit", step::commit);
      TensorView good = TensorView.of(new float[50 * 2 * DIM], 50, 2, DIM);
      TensorView wide = TensorView.of(new float[50 * 4 * DIM], 50, 4, DIM);
      refused("k=[50, 4, 64], expected [50, 2, 64]", () -> step.plan().append(2, wide, good));
      refused("v=[50, 4, 64], expected [50, 2, 64]", () -> step.plan().append(2, good, wide));
      step.append(2);
      step.commit();
      StateCheck.verify(lockstep.backend(), pair);
      refused("plan=committed or closed, expected an open one", () -> step.append(0));
      step.close();
    }
  }

  private static void refused(String message, Executable call) {
    assertEquals(message, assertThrows(InvalidArgumentException.class, call).getMessage());
  }
}
