package org.sinkq.contract;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.BackendConfig;
import org.sinkq.KvCacheSpec;
import org.sinkq.ModelShape;

/** Steps of several sequences, and several steps at a time. */
public abstract class BatchContract {
  private static final int LAYERS = 3;
  private static final int DIM = 64;
  private static final ModelShape SHAPE = ModelShape.of(LAYERS, 4, 2, DIM);

  /** Name of the engine. */
  protected abstract String engine();

  private AttentionBackend backend(int threads) {
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .pageTokens(32)
            .windowTokens(16)
            .capacityTokens(1024)
            .maxSequences(8)
            .build();
    return AttentionBackends.open(
        BackendConfig.of(SHAPE, spec).withEngine(engine()).withThreads(threads));
  }

  private Lockstep lockstep(long seed) {
    return new Lockstep(backend(2), Data.of(seed, Data.Style.OUTLIERS));
  }

  @Test
  void promptsChunksDecodeAndSpeculativeRowsShareAStep() {
    try (Lockstep lockstep = lockstep(21)) {
      List<Lockstep.Pair> pairs = new ArrayList<>();
      for (int i = 0; i < 5; i++) {
        pairs.add(lockstep.open());
      }
      lockstep.step(pairs, new int[] {100, 1, 47, 48, 49}, true);
      lockstep.step(pairs, new int[] {1, 130, 1, 4, 33}, true);
      lockstep.step(pairs.reversed(), new int[] {2, 1, 31, 64, 1}, true);
      lockstep.step(pairs.subList(1, 4), new int[] {1, 1, 1}, true);
      pairs.forEach(pair -> StateCheck.verify(lockstep.backend(), pair));
    }
  }

  @Test
  void openPlansOfDisjointSequencesInterleave() {
    try (Lockstep lockstep = lockstep(22)) {
      Lockstep.Pair a = lockstep.open();
      Lockstep.Pair b = lockstep.open();
      Lockstep.Pair c = lockstep.open();
      lockstep.step(List.of(a, b, c), new int[] {60, 20, 70}, true);
      Lockstep.OpenStep first = lockstep.begin(List.of(a), new int[] {90});
      Lockstep.OpenStep second = lockstep.begin(List.of(b, c), new int[] {1, 60});
      for (int layer = 0; layer < LAYERS; layer++) {
        first.run(layer);
        second.run(LAYERS - 1 - layer);
      }
      second.close();
      first.commit();
      first.close();
      for (Lockstep.Pair pair : List.of(a, b, c)) {
        lockstep.step(pair, 40);
      }
    }
  }

  private static final List<BatchRun.Script> SCRIPTS =
      List.of(
          new BatchRun.Script(1, new int[] {70, 1, 1, 40, 1}),
          new BatchRun.Script(2, new int[] {1, 1, 90, 1, 5}),
          new BatchRun.Script(3, new int[] {33, 47, 1, 1, 1}));

  @Test
  void neighboursDoNotChangeASequencesBits() {
    try (AttentionBackend backend = backend(3)) {
      List<List<float[]>> together = BatchRun.run(backend, SCRIPTS);
      for (int s = 0; s < SCRIPTS.size(); s++) {
        BatchRun.assertClose(
            BatchRun.run(backend, List.of(SCRIPTS.get(s))).getFirst(),
            together.get(s),
            EngineTraits.neighbourTolerance(engine()));
      }
      List<List<float[]>> reversed = BatchRun.run(backend, SCRIPTS.reversed());
      BatchRun.assertSame(together.getFirst(), reversed.getLast());
    }
  }

  /** Also where the pages of one of them are divided among workers. */
  @Test
  void neighboursOfALongSequenceDoNotChangeItsBits() {
    ModelShape shape = ModelShape.of(1, 2, 1, 64);
    KvCacheSpec spec = KvCacheSpec.builder().capacityTokens(2600).maxSequences(3).build();
    BackendConfig config = BackendConfig.of(shape, spec).withEngine(engine()).withThreads(3);
    List<BatchRun.Script> scripts =
        List.of(
            new BatchRun.Script(4, new int[] {2300, 1, 2}),
            new BatchRun.Script(5, new int[] {1, 40, 1}),
            new BatchRun.Script(6, new int[] {170, 1, 1}));
    try (AttentionBackend backend = AttentionBackends.open(config);
        AttentionBackend single = AttentionBackends.open(config.withThreads(1))) {
      List<List<float[]>> together = BatchRun.run(backend, scripts);
      for (int s = 0; s < scripts.size(); s++) {
        List<float[]> alone = BatchRun.run(single, List.of(scripts.get(s))).getFirst();
        BatchRun.assertClose(alone, together.get(s), EngineTraits.neighbourTolerance(engine()));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 8})
  void threadsDoNotChangeBits(int threads) {
    try (AttentionBackend one = backend(1);
        AttentionBackend many = backend(threads)) {
      List<List<float[]>> expected = BatchRun.run(one, SCRIPTS);
      List<List<float[]>> actual = BatchRun.run(many, SCRIPTS);
      for (int s = 0; s < SCRIPTS.size(); s++) {
        BatchRun.assertSame(expected.get(s), actual.get(s));
      }
    }
  }

  @Test
  void callersOnSeveralThreadsGetTheSameBits() throws Exception {
    try (AttentionBackend backend = backend(2);
        ExecutorService callers = Executors.newFixedThreadPool(3)) {
      List<List<float[]>> expected = new ArrayList<>();
      for (BatchRun.Script script : SCRIPTS) {
        expected.add(BatchRun.run(backend, List.of(script)).getFirst());
      }
      for (int round = 0; round < 5; round++) {
        List<Future<List<List<float[]>>>> running = new ArrayList<>();
        for (BatchRun.Script script : SCRIPTS) {
          running.add(callers.submit(() -> BatchRun.run(backend, List.of(script))));
        }
        for (int s = 0; s < SCRIPTS.size(); s++) {
          BatchRun.assertSame(expected.get(s), running.get(s).get().getFirst());
        }
      }
      assertEquals(0, backend.stats().pages());
    }
  }
}
