package org.sinkq.contract;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.channels.Channels;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.sinkq.AttentionBackend;
import org.sinkq.DType;
import org.sinkq.EngineAccess;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.SinkPolicy;
import org.sinkq.cache.SequenceState;
import org.sinkq.cache.SinkTable;

/**
 * Sinks by attention mass. Masses are compared with the oracle's within the tolerance of attention,
 * the pools that follow from them exactly: the tokens that count are planted far enough apart. For
 * engines that have {@link SinkPolicy.Selection#MOST_ATTENDED}; the others refuse it.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class MassContract {
  private static final ModelShape SHAPE = ModelShape.of(2, 4, 2, 64);

  /** Name of the engine. */
  protected abstract String engine();

  List<KvCodec> codecs() {
    return EngineTraits.codecs(engine()).stream().filter(KvCodec::isQuantized).toList();
  }

  private static KvCacheSpec.Builder spec(SinkPolicy.Selection selection) {
    return KvCacheSpec.builder()
        .pageTokens(32)
        .windowTokens(10)
        .firstSinkLayer(1)
        .sinks(new SinkPolicy(2, 6, selection))
        .capacityTokens(500)
        .maxSequences(3);
  }

  private static KvCacheSpec.Builder spec() {
    return spec(SinkPolicy.Selection.MOST_ATTENDED);
  }

  private Lockstep open(ModelShape shape, KvCacheSpec.Builder spec, int seed) {
    return new Lockstep(engine(), shape, spec.build(), 2, Data.of(seed, Data.Style.ATTENDED));
  }

  @ParameterizedTest
  @MethodSource("codecs")
  void aPromptIsOneSelection(KvCodec codec) {
    int scale = EngineTraits.pageScale(engine(), codec);
    KvCacheSpec.Builder spec = spec().codec(codec).pageTokens(32 * scale);
    try (Lockstep lockstep = open(SHAPE, spec.capacityTokens(500 * scale), 1)) {
      Lockstep.Pair pair = lockstep.open();
      lockstep.step(pair, 80 * scale);
      assertEquals(2, pair.sequence().sinkPositions(1, 0).length);
      for (int rows : new int[] {1, 50 * scale, 1}) {
        lockstep.step(pair, rows);
      }
    }
  }

  @Test
  void massDecidesAndNotTheKeyNorm() {
    int[] byNorm = sinks(SinkPolicy.Selection.SMALLEST_KEYS);
    int[] byMass = sinks(SinkPolicy.Selection.MOST_ATTENDED);
    assertFalse(Arrays.equals(byNorm, byMass), Arrays.toString(byMass));
  }

  private int[] sinks(SinkPolicy.Selection selection) {
    try (Lockstep lockstep = open(SHAPE, spec(selection), 2)) {
      Lockstep.Pair pair = lockstep.open();
      lockstep.step(pair, 130);
      assertEquals(0, pair.sequence().sinkPositions(0, 1).length);
      return pair.sequence().sinkPositions(1, 1);
    }
  }

  @Test
  void massesGrowFromStepToStep() {
    try (Lockstep lockstep = open(SHAPE, spec(), 3)) {
      Lockstep.Pair pair = lockstep.open();
      for (int i = 0; i < 85; i++) {
        lockstep.step(pair, 1);
      }
      for (int rows : new int[] {3, 20, 7, 60, 1, 9, 2}) {
        lockstep.step(pair, rows);
      }
    }
  }

  /** As many columns as engines cut in different ways, on pages of the usual size. */
  @ParameterizedTest
  @CsvSource({"1, 64", "3, 64", "8, 128", "12, 64", "5, 80"})
  void allQueryHeadsOfAGroupCount(int group, int dim) {
    KvCacheSpec.Builder spec = spec().pageTokens(128).windowTokens(32).capacityTokens(700);
    try (Lockstep lockstep = open(ModelShape.of(2, group, 1, dim), spec, 4)) {
      Lockstep.Pair pair = lockstep.open();
      lockstep.step(pair, 300);
      for (int rows : new int[] {1, 2, 6, 1, 5, 14, 1, 70, 1}) {
        lockstep.step(pair, rows);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {96, 128, 192, 256})
  void everyHeadDimension(int dim) {
    try (Lockstep lockstep = open(ModelShape.of(2, 2, 1, dim), spec(), 14)) {
      Lockstep.Pair pair = lockstep.open();
      for (int rows : new int[] {45, 1, 6, 1}) {
        lockstep.step(pair, rows);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void queriesOfEveryTypeInStridedMemory(DType type) {
    Data data = new Data(5, Data.Style.ATTENDED, type, type, Data.Placement.STRIDED);
    try (Lockstep lockstep = new Lockstep(engine(), SHAPE, spec().build(), 2, data)) {
      Lockstep.Pair pair = lockstep.open();
      for (int rows : new int[] {100, 1, 1, 30, 4, 1}) {
        lockstep.step(pair, rows);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"0, 8", "20, 0", "70, 0", "37, 15"})
  void slidingWindowsAndSoftCaps(int window, float cap) {
    ModelShape shape = SHAPE.withSlidingWindow(window).withLogitsSoftCap(cap);
    try (Lockstep lockstep = open(shape, spec(), 6)) {
      Lockstep.Pair pair = lockstep.open();
      for (int rows : new int[] {90, 1, 1, 1, 25, 5, 120, 1}) {
        lockstep.step(pair, rows);
      }
    }
  }

  /** Tokens of a sequence whose work the engine divides. */
  protected int longLength() {
    return 2600;
  }

  /** Where the work of a sequence is divided, the parts have to agree on a sum. */
  @Test
  void longSequences() {
    int length = longLength();
    KvCacheSpec.Builder spec = spec().capacityTokens(length + 400);
    try (Lockstep lockstep = open(ModelShape.of(2, 2, 1, 64), spec, 7)) {
      Lockstep.Pair pair = lockstep.open();
      lockstep.step(pair, length);
      for (int i = 0; i < 45; i++) {
        lockstep.step(pair, 1);
      }
      lockstep.step(pair, 3);
    }
  }

  @Test
  void aStepThatIsRolledBackLeavesNoMass() {
    try (Lockstep lockstep = open(SHAPE, spec(), 8)) {
      Lockstep.Pair pair = lockstep.open();
      lockstep.step(pair, 75);
      for (int rows : new int[] {1, 3, 60, 200}) {
        lockstep.step(List.of(pair), new int[] {rows}, false);
        StateCheck.verify(lockstep.backend(), pair);
        try (Lockstep.OpenStep half = lockstep.begin(List.of(pair), new int[] {rows})) {
          half.run(1);
        }
        StateCheck.verify(lockstep.backend(), pair);
        lockstep.step(pair, 1);
      }
      lockstep.step(pair, 50);
    }
  }

  @Test
  void forksTakeTheirMassesAlong() {
    try (Lockstep lockstep = open(SHAPE, spec(), 9)) {
      Lockstep.Pair parent = lockstep.open();
      lockstep.step(parent, 77);
      lockstep.step(parent, 1);
      Lockstep.Pair child = lockstep.fork(parent);
      StateCheck.verify(lockstep.backend(), child);
      for (int i = 0; i < 3; i++) {
        lockstep.step(List.of(child, parent), new int[] {5, 1}, true);
        lockstep.step(parent, 12);
        StateCheck.verify(lockstep.backend(), child);
      }
      child.sequence().close();
      Lockstep.Pair other = lockstep.open();
      lockstep.step(List.of(other, parent), new int[] {60, 2}, true);
      StateCheck.verify(lockstep.backend(), other);
      StateCheck.verify(lockstep.backend(), parent);
    }
  }

  @ParameterizedTest
  @CsvSource({"140", "131", "129", "128", "100", "65", "33", "5"})
  void truncationKeepsTheMassesOfWhatStays(int length) {
    try (Lockstep lockstep = open(SHAPE, spec(), 10)) {
      Lockstep.Pair pair = lockstep.open();
      lockstep.step(pair, 120);
      for (int i = 0; i < 22; i++) {
        lockstep.step(pair, 1);
      }
      lockstep.truncate(pair, length);
      StateCheck.verify(lockstep.backend(), pair);
      lockstep.step(pair, 1);
      lockstep.step(pair, 80);
    }
  }

  @Test
  void aRestoredWindowBeginsWithoutMass() throws IOException {
    try (Lockstep lockstep = open(SHAPE, spec(), 13)) {
      Lockstep.Pair pair = lockstep.open();
      lockstep.step(pair, 75);
      lockstep.step(pair, 1);
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      pair.sequence().save(Channels.newChannel(bytes));
      AttentionBackend backend = lockstep.backend();
      KvSequence restored =
          backend.restore(Channels.newChannel(new ByteArrayInputStream(bytes.toByteArray())));
      assertArrayEquals(pair.sequence().sinkPositions(1, 0), restored.sinkPositions(1, 0));
      SequenceState state = EngineAccess.state(restored);
      for (int position = state.flushedTokens(); position < state.length(); position++) {
        assertEquals(
            SinkTable.NO_MASS, EngineAccess.engine(backend).readScore(1, 1, state, position));
      }
    }
  }

  @Test
  void rowsWithoutAttentionGiveNoMass() {
    try (Lockstep lockstep = open(SHAPE, spec(), 12)) {
      Lockstep.Pair pair = lockstep.open();
      lockstep.step(pair, 30);
      for (int rows : new int[] {9, 50}) {
        try (Lockstep.OpenStep step = lockstep.begin(List.of(pair), new int[] {rows})) {
          step.append(0);
          step.append(1);
          step.commit();
        }
        StateCheck.verify(lockstep.backend(), pair);
        lockstep.step(pair, 1);
      }
    }
  }

  @Test
  void theSameCallsGiveTheSameMasses() {
    assertArrayEquals(scores(), scores());
  }

  private long[] scores() {
    try (Lockstep lockstep = open(SHAPE, spec(), 11)) {
      Lockstep.Pair pair = lockstep.open();
      for (int rows : new int[] {150, 1, 40, 1, 1, 5}) {
        lockstep.step(pair, rows);
      }
      AttentionBackend backend = lockstep.backend();
      SequenceState state = EngineAccess.state(pair.sequence());
      long[] scores = new long[state.windowLength()];
      for (int i = 0; i < scores.length; i++) {
        scores[i] = EngineAccess.engine(backend).readScore(1, 1, state, state.flushedTokens() + i);
      }
      return scores;
    }
  }
}
