package org.sinkq.contract;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.BackendConfig;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.TensorView;

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

  /** One sequence's rows of a script, the same whatever else runs beside it. */
  private record Script(long seed, int[] rows) {
    TensorView tensor(int step, int layer, int kind, int heads) {
      Random random = new Random(seed * 7919 + step * 31L + layer * 7L + kind);
      float[] x = new float[rows[step] * heads * DIM];
      for (int i = 0; i < x.length; i++) {
        x[i] = (float) random.nextGaussian();
      }
      return TensorView.of(x, rows[step], heads, DIM);
    }
  }

  /** Runs scripts side by side, one step of each in a plan; returns every result of each. */
  private static List<List<float[]>> run(AttentionBackend backend, List<Script> scripts) {
    List<KvSequence> sequences = new ArrayList<>();
    List<List<float[]>> results = new ArrayList<>();
    for (int s = 0; s < scripts.size(); s++) {
      sequences.add(backend.newSequence());
      results.add(new ArrayList<>());
    }
    for (int step = 0; step < scripts.getFirst().rows.length; step++) {
      int[] indptr = new int[scripts.size() + 1];
      for (int s = 0; s < scripts.size(); s++) {
        indptr[s + 1] = indptr[s] + scripts.get(s).rows[step];
      }
      try (AttentionPlan plan = backend.plan(new AttentionMetadata(sequences, indptr))) {
        for (int layer = 0; layer < LAYERS; layer++) {
          TensorView[] packed = new TensorView[3];
          for (int kind = 0; kind < 3; kind++) {
            packed[kind] = pack(scripts, step, layer, kind, indptr);
          }
          int rows = indptr[scripts.size()];
          float[] out = new float[rows * 4 * DIM];
          plan.run(layer, packed[0], packed[1], packed[2], TensorView.of(out, rows, 4, DIM));
          for (int s = 0; s < scripts.size(); s++) {
            results
                .get(s)
                .add(Arrays.copyOfRange(out, indptr[s] * 4 * DIM, indptr[s + 1] * 4 * DIM));
          }
        }
        plan.commit();
      }
    }
    sequences.forEach(KvSequence::close);
    return results;
  }

  private static TensorView pack(
      List<Script> scripts, int step, int layer, int kind, int[] indptr) {
    int heads = kind == 0 ? 4 : 2;
    int rows = indptr[scripts.size()];
    float[] all = new float[rows * heads * DIM];
    for (int s = 0; s < scripts.size(); s++) {
      float[] part =
          (float[])
              scripts.get(s).tensor(step, layer, kind, heads).segment().heapBase().orElseThrow();
      System.arraycopy(part, 0, all, indptr[s] * heads * DIM, part.length);
    }
    return TensorView.of(all, rows, heads, DIM);
  }

  private static void assertSame(List<float[]> expected, List<float[]> actual) {
    assertEquals(expected.size(), actual.size());
    for (int i = 0; i < expected.size(); i++) {
      assertArrayEquals(expected.get(i), actual.get(i), "result " + i);
    }
  }

  private static final List<Script> SCRIPTS =
      List.of(
          new Script(1, new int[] {70, 1, 1, 40, 1}),
          new Script(2, new int[] {1, 1, 90, 1, 5}),
          new Script(3, new int[] {33, 47, 1, 1, 1}));

  @Test
  void neighboursDoNotChangeASequencesBits() {
    try (AttentionBackend backend = backend(3)) {
      List<List<float[]>> together = run(backend, SCRIPTS);
      for (int s = 0; s < SCRIPTS.size(); s++) {
        assertSame(run(backend, List.of(SCRIPTS.get(s))).getFirst(), together.get(s));
      }
      List<List<float[]>> reversed = run(backend, SCRIPTS.reversed());
      assertSame(together.getFirst(), reversed.getLast());
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 8})
  void threadsDoNotChangeBits(int threads) {
    try (AttentionBackend one = backend(1);
        AttentionBackend many = backend(threads)) {
      List<List<float[]>> expected = run(one, SCRIPTS);
      List<List<float[]>> actual = run(many, SCRIPTS);
      for (int s = 0; s < SCRIPTS.size(); s++) {
        assertSame(expected.get(s), actual.get(s));
      }
    }
  }

  @Test
  void callersOnSeveralThreadsGetTheSameBits() throws Exception {
    try (AttentionBackend backend = backend(2);
        ExecutorService callers = Executors.newFixedThreadPool(3)) {
      List<List<float[]>> expected = run(backend, SCRIPTS);
      for (int round = 0; round < 5; round++) {
        List<Future<List<List<float[]>>>> running = new ArrayList<>();
        for (Script script : SCRIPTS) {
          running.add(callers.submit(() -> run(backend, List.of(script))));
        }
        for (int s = 0; s < SCRIPTS.size(); s++) {
          assertSame(expected.get(s), running.get(s).get().getFirst());
        }
      }
      assertEquals(0, backend.stats().pages());
    }
  }
}
