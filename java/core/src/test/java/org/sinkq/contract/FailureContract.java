package org.sinkq.contract;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.BackendStats;
import org.sinkq.CapacityExhaustedException;
import org.sinkq.DType;
import org.sinkq.InvalidArgumentException;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.TensorView;

/** What goes wrong is named, and leaves no trace. */
public abstract class FailureContract {
  private static final int LAYERS = 3;
  private static final int DIM = 64;
  private static final ModelShape SHAPE = ModelShape.of(LAYERS, 4, 2, DIM);

  /** Name of the engine. */
  protected abstract String engine();

  private Lockstep open(int capacityTokens, int sequences) {
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .pageTokens(32)
            .windowTokens(8)
            .codec(0, EngineTraits.widest(engine()))
            .firstSinkLayer(1)
            .capacityTokens(capacityTokens)
            .maxSequences(sequences)
            .build();
    return new Lockstep(engine(), SHAPE, spec, 2, Data.of(41, Data.Style.OUTLIERS));
  }

  /** Runs something that must fail, and checks that nobody could tell afterwards. */
  private static <T extends Throwable> T withoutTrace(
      Lockstep lockstep, List<Lockstep.Pair> pairs, Class<T> type, Executable call) {
    BackendStats before = lockstep.backend().stats();
    T thrown = assertThrows(type, call);
    assertEquals(before, lockstep.backend().stats());
    pairs.forEach(pair -> StateCheck.verify(lockstep.backend(), pair));
    return thrown;
  }

  @ParameterizedTest
  @CsvSource({"1, 0", "1, 1", "1, 2", "60, 1", "60, 2", "60, 3", "200, 3", "31, 3"})
  void rollbackLeavesNoTrace(int rows, int layersRun) {
    try (Lockstep lockstep = open(512, 2)) {
      Lockstep.Pair a = lockstep.open();
      Lockstep.Pair b = lockstep.open();
      lockstep.step(List.of(a, b), new int[] {77, 39}, true);
      BackendStats before = lockstep.backend().stats();
      for (int i = 0; i < 2; i++) {
        Lockstep.OpenStep step = lockstep.begin(List.of(a, b), new int[] {rows, 1});
        for (int layer = 0; layer < layersRun; layer++) {
          step.run(layer);
        }
        step.close();
        step.close();
        assertEquals(before, lockstep.backend().stats());
        StateCheck.verify(lockstep.backend(), a);
        StateCheck.verify(lockstep.backend(), b);
      }
      lockstep.step(a, rows);
      lockstep.step(b, 50);
    }
  }

  @Test
  void exhaustionIsAtomicAndRecoverable() {
    try (Lockstep lockstep = open(72, 3)) {
      Lockstep.Pair a = lockstep.open();
      Lockstep.Pair b = lockstep.open();
      Lockstep.Pair c = lockstep.open();
      lockstep.step(a, 130);
      lockstep.step(b, 71);
      CapacityExhaustedException e =
          withoutTrace(
              lockstep,
              List.of(a, b, c),
              CapacityExhaustedException.class,
              () -> lockstep.begin(List.of(c, a, b), new int[] {1, 32, 33}));
      assertEquals(CapacityExhaustedException.Resource.PAGES, e.resource());
      assertEquals(3, e.needed());
      assertEquals(2, e.free());
      assertEquals(
          "pages exhausted: needed=3, free=2; close or truncate sequences, or open the backend with"
              + " more capacity",
          e.getMessage());
      a.sequence().close();
      lockstep.step(List.of(c, b), new int[] {1, 33}, true);
      lockstep.step(c, 100);
      StateCheck.verify(lockstep.backend(), b);
    }
  }

  @Test
  void sequenceSlotsRunOutAndComeBack() {
    try (Lockstep lockstep = open(64, 2)) {
      KvSequence first = lockstep.backend().newSequence();
      lockstep.open();
      CapacityExhaustedException e =
          withoutTrace(
              lockstep,
              List.of(),
              CapacityExhaustedException.class,
              () -> lockstep.backend().newSequence());
      assertEquals(CapacityExhaustedException.Resource.SEQUENCES, e.resource());
      first.close();
      lockstep.step(lockstep.open(), 50);
    }
  }

  /** Writes one bad number into a step; layer 0 is dense, and fp32 where the engine has it. */
  private static Executable badStep(
      Lockstep lockstep,
      List<Lockstep.Pair> pairs,
      int[] indptr,
      int layer,
      Consumer<float[]> spoilKeys,
      Consumer<float[]> spoilValues) {
    return () -> {
      int rows = indptr[indptr.length - 1];
      float[] k = new float[rows * 2 * DIM];
      float[] v = new float[rows * 2 * DIM];
      spoilKeys.accept(k);
      spoilValues.accept(v);
      List<KvSequence> sequences = pairs.stream().map(Lockstep.Pair::sequence).toList();
      AttentionPlan plan = lockstep.backend().plan(new AttentionMetadata(sequences, indptr));
      try {
        for (int l = 0; l < layer; l++) {
          run(plan, l, new float[k.length], new float[k.length], rows);
        }
        run(plan, layer, k, v, rows);
      } catch (InvalidArgumentException e) {
        // The plan is over, and says so.
        assertEquals(
            "plan=rolled back after an error, expected an open one",
            assertThrows(InvalidArgumentException.class, plan::commit).getMessage());
        plan.close();
        throw e;
      }
    };
  }

  private static void run(AttentionPlan plan, int layer, float[] k, float[] v, int rows) {
    TensorView q = TensorView.of(new float[rows * 4 * DIM], rows, 4, DIM);
    TensorView out = TensorView.of(new float[rows * 4 * DIM], rows, 4, DIM);
    plan.run(layer, q, TensorView.of(k, rows, 2, DIM), TensorView.of(v, rows, 2, DIM), out);
  }

  private static int at(int row, int head, int channel) {
    return (row * 2 + head) * DIM + channel;
  }

  @ParameterizedTest
  @ValueSource(strings = {"NaN", "Infinity", "-Infinity", "65520", "-1e9"})
  void badKeysAndValuesAreNamed(String number) {
    float bad = Float.parseFloat(number);
    try (Lockstep lockstep = open(512, 2)) {
      Lockstep.Pair a = lockstep.open();
      Lockstep.Pair b = lockstep.open();
      lockstep.step(List.of(a, b), new int[] {70, 35}, true);
      List<Lockstep.Pair> both = List.of(a, b);
      int[] indptr = {0, 1, 60};
      InvalidArgumentException key =
          withoutTrace(
              lockstep,
              both,
              InvalidArgumentException.class,
              badStep(lockstep, both, indptr, 2, k -> k[at(5, 1, 63)] = bad, v -> {}));
      assertTrue(
          key.getMessage().startsWith("key=")
              && key.getMessage()
                  .endsWith(
                      " at layer 2, head 1, position 39, channel 63, expected a finite number"
                          + " within the fp16 range"),
          key.getMessage());
      InvalidArgumentException value =
          withoutTrace(
              lockstep,
              both,
              InvalidArgumentException.class,
              badStep(lockstep, both, indptr, 1, k -> {}, v -> v[at(0, 0, 7)] = bad));
      assertTrue(
          value.getMessage().contains(" at layer 1, head 0, position 70, channel 7, "),
          value.getMessage());
      lockstep.step(List.of(a, b), new int[] {33, 64}, true);
      both.forEach(pair -> StateCheck.verify(lockstep.backend(), pair));
    }
  }

  @Test
  void theFirstOfSeveralBadNumbersIsNamed() {
    try (Lockstep lockstep = open(512, 2)) {
      List<Lockstep.Pair> both = List.of(lockstep.open(), lockstep.open());
      for (int round = 0; round < 20; round++) {
        InvalidArgumentException e =
            withoutTrace(
                lockstep,
                both,
                InvalidArgumentException.class,
                badStep(
                    lockstep,
                    both,
                    new int[] {0, 30, 40},
                    1,
                    k -> {
                      for (int row = 3; row < 40; row++) {
                        k[at(row, 0, 9)] = Float.NaN;
                        k[at(row, 1, 2)] = Float.NaN;
                      }
                    },
                    v -> {}));
        assertTrue(
            e.getMessage().startsWith("key=NaN at layer 1, head 0, position 3, channel 9, "),
            e.getMessage());
      }
    }
  }

  @Test
  void theLargestNumbersAreTaken() {
    try (Lockstep lockstep = open(512, 2)) {
      Lockstep.Pair pair = lockstep.open();
      boolean wide = EngineTraits.widest(engine()) == KvCodec.FP32;
      try (AttentionPlan plan =
          lockstep.backend().plan(AttentionMetadata.single(pair.sequence(), 1))) {
        for (int layer = 0; layer < LAYERS; layer++) {
          float[] k = new float[2 * DIM];
          // What rounds to the largest fp16 number is within the range.
          k[3] = layer == 0 && wide ? Float.MAX_VALUE : 65519.99f;
          run(plan, layer, k, k.clone(), 1);
        }
        plan.commit();
      }
      assertEquals(1, pair.sequence().length());
    }
  }

  @Test
  void plansOfWhatIsNotThereAreRefused() {
    try (Lockstep lockstep = open(512, 3);
        Lockstep stranger = open(512, 1)) {
      Lockstep.Pair a = lockstep.open();
      Lockstep.Pair b = lockstep.open();
      Lockstep.Pair foreign = stranger.open();
      Lockstep.Pair closed = lockstep.open();
      closed.sequence().close();
      List<Lockstep.Pair> both = List.of(a, b);
      lockstep.step(both, new int[] {50, 20}, true);
      for (List<Lockstep.Pair> wrong :
          List.of(List.of(a, foreign), List.of(a, b, a), List.of(b, a, closed))) {
        InvalidArgumentException e =
            withoutTrace(
                lockstep,
                both,
                InvalidArgumentException.class,
                () -> lockstep.begin(wrong, ones(wrong.size())));
        assertTrue(e.getMessage().startsWith("sequence="), e.getMessage());
        lockstep.step(both, new int[] {1, 1}, true);
      }
    }
  }

  private static int[] ones(int n) {
    int[] rows = new int[n];
    Arrays.fill(rows, 1);
    return rows;
  }

  @Test
  void sequencesOfAnOpenPlanAreLeftAlone() {
    try (Lockstep lockstep = open(512, 3)) {
      Lockstep.Pair a = lockstep.open();
      lockstep.step(a, 50);
      Lockstep.OpenStep step = lockstep.begin(List.of(a), new int[] {40});
      step.run(0);
      for (Executable call :
          List.<Executable>of(
              () -> lockstep.begin(List.of(a), new int[] {1}),
              () -> a.sequence().fork(),
              () -> a.sequence().truncate(0),
              () -> a.sequence().sinkPositions(1, 0),
              () -> a.sequence().close())) {
        assertEquals(
            "sequence=part of an open plan (or twice in one), expected an idle one; commit or close"
                + " that plan first",
            assertThrows(InvalidArgumentException.class, call).getMessage());
      }
      assertEquals(50, a.sequence().length());
      assertEquals(
          "openPlans=1, expected 0 when the backend is closed",
          assertThrows(InvalidArgumentException.class, lockstep::close).getMessage());
      step.run(1);
      step.run(2);
      step.commit();
      StateCheck.verify(lockstep.backend(), a);
      lockstep.step(a, 33);
    }
  }

  @Test
  void misuseOfAPlanIsRefusedAndThePlanGoesOn() {
    try (Lockstep lockstep = open(512, 2)) {
      Lockstep.Pair a = lockstep.open();
      Lockstep.OpenStep step = lockstep.begin(List.of(a), new int[] {50});
      refused(
          "layer=-1, expected 0 to 2", () -> run(step.plan(), -1, new float[0], new float[0], 0));
      refused("layer=3, expected 0 to 2", () -> run(step.plan(), 3, new float[0], new float[0], 0));
      step.run(1);
      refused("layer=1, expected one that this plan has not run yet", () -> step.run(1));
      refused("layer 0 has not been run, expected all 3 layers before commit", step::commit);
      TensorView[] good = new TensorView[4];
      for (int i = 0; i < 4; i++) {
        good[i] = tensor(50, i == 1 || i == 2 ? 2 : 4, DIM);
      }
      wrong(step.plan(), good, 0, tensor(49, 4, DIM), "q=[49, 4, 64], expected [50, 4, 64]");
      wrong(step.plan(), good, 0, tensor(50, 2, DIM), "q=[50, 2, 64], expected [50, 4, 64]");
      wrong(step.plan(), good, 1, tensor(50, 4, DIM), "k=[50, 4, 64], expected [50, 2, 64]");
      wrong(step.plan(), good, 2, tensor(50, 2, 32), "v=[50, 2, 32], expected [50, 2, 64]");
      wrong(step.plan(), good, 3, tensor(51, 4, DIM), "out=[51, 4, 64], expected [50, 4, 64]");
      MemorySegment fixed = MemorySegment.ofArray(new float[50 * 4 * DIM]).asReadOnly();
      wrong(
          step.plan(),
          good,
          3,
          TensorView.of(fixed, DType.F32, 50, 4, DIM),
          "out=read-only memory, expected memory that can be written");
      TensorView dangling;
      try (Arena arena = Arena.ofConfined()) {
        dangling = TensorView.of(arena.allocate(4L * 50 * 4 * DIM), DType.F32, 50, 4, DIM);
      }
      wrong(step.plan(), good, 0, dangling, "q=memory of a closed arena, expected open memory");
      step.run(2);
      step.run(0);
      step.commit();
      String over = "plan=committed or closed, expected an open one";
      refused(over, step::commit);
      refused(over, () -> step.run(0));
      step.close();
      StateCheck.verify(lockstep.backend(), a);
      lockstep.step(a, 40);
    }
  }

  private static TensorView tensor(int tokens, int heads, int dim) {
    return TensorView.of(new float[tokens * heads * dim], tokens, heads, dim);
  }

  private static void wrong(
      AttentionPlan plan, TensorView[] good, int which, TensorView bad, String message) {
    TensorView[] t = good.clone();
    t[which] = bad;
    refused(message, () -> plan.run(0, t[0], t[1], t[2], t[3]));
  }

  private static void refused(String message, Executable call) {
    assertEquals(message, assertThrows(InvalidArgumentException.class, call).getMessage());
  }
}
