package org.sinkq.contract;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tuple;
import net.jqwik.api.constraints.IntRange;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.BackendConfig;
import org.sinkq.BackendStats;
import org.sinkq.CapacityExhaustedException;
import org.sinkq.InvalidArgumentException;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.ModelShape;
import org.sinkq.SinkPolicy;
import org.sinkq.TensorView;

/**
 * Random scripts of every operation a backend has, in lockstep with the oracle: exactly once,
 * rollback without a trace, exhaustion that changes nothing, and no page left in the end.
 */
public abstract class ScriptContract {
  private static final int LAYERS = 2;
  private static final int DIM = 64;
  private static final int MAX_SEQUENCES = 4;

  /** Name of the engine. */
  protected abstract String engine();

  /** What a script may do. */
  public enum Kind {
    /** A committed step of one to three sequences. */
    STEP,
    /** Such a step of which some layers are appended instead of run. */
    APPEND,
    /** A decode step of all sequences. */
    DECODE,
    /** A step that is closed after some of its layers. */
    ROLLBACK,
    /** A step with a NaN in its keys. */
    BAD,
    /** A new sequence. */
    OPEN,
    /** A fork. */
    FORK,
    /** A truncation. */
    TRUNCATE,
    /** The end of a sequence. */
    CLOSE
  }

  /** One operation; the numbers choose among what is there. */
  public record Op(Kind kind, int a, int b) {}

  /** Settings of a backend. */
  public record Setting(
      int page, int window, KvCodec codec, int pool, int spill, int pages, Data.Style style) {}

  @Provide
  Arbitrary<List<Op>> scripts() {
    Arbitrary<Kind> kinds =
        Arbitraries.frequency(
            Tuple.of(6, Kind.STEP),
            Tuple.of(2, Kind.APPEND),
            Tuple.of(3, Kind.DECODE),
            Tuple.of(2, Kind.ROLLBACK),
            Tuple.of(1, Kind.BAD),
            Tuple.of(1, Kind.OPEN),
            Tuple.of(2, Kind.FORK),
            Tuple.of(3, Kind.TRUNCATE),
            Tuple.of(1, Kind.CLOSE));
    Arbitrary<Integer> number = Arbitraries.integers().between(0, 9999);
    return Combinators.combine(kinds, number, number).as(Op::new).list().ofMinSize(4).ofMaxSize(30);
  }

  @Provide
  Arbitrary<Setting> settings() {
    return Combinators.combine(
            Arbitraries.of(32, 32, 64),
            Arbitraries.integers().between(0, 40),
            Arbitraries.of(
                EngineTraits.codecs(engine()).stream().filter(c -> c != KvCodec.FP32).toList()),
            Arbitraries.integers().between(1, 6),
            Arbitraries.integers().between(0, 6),
            Arbitraries.integers().between(6, 40),
            Arbitraries.of(Data.Style.NORMAL, Data.Style.OUTLIERS, Data.Style.TIES))
        .as(Setting::new);
  }

  /** Which sequences share a step, and how many threads there are, changes no bit of a result. */
  @Property(tries = 20, edgeCases = EdgeCasesMode.NONE)
  void companyAndThreadsDoNotChangeBits(
      @ForAll long seed,
      @ForAll @IntRange(min = 1, max = 6) int steps,
      @ForAll @IntRange(min = 1, max = MAX_SEQUENCES) int sequences,
      @ForAll @IntRange(min = 2, max = 5) int threads) {
    Random random = new Random(seed);
    List<BatchRun.Script> scripts = new ArrayList<>();
    for (int s = 0; s < sequences; s++) {
      int[] rows = new int[steps];
      for (int i = 0; i < steps; i++) {
        rows[i] = 1 + (random.nextBoolean() ? random.nextInt(4) : random.nextInt(100));
      }
      scripts.add(new BatchRun.Script(random.nextLong(), rows));
    }
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .pageTokens(32)
            .windowTokens(random.nextInt(40))
            .firstSinkLayer(1)
            .capacityTokens(700)
            .maxSequences(MAX_SEQUENCES)
            .build();
    BackendConfig config =
        BackendConfig.of(ModelShape.of(LAYERS, 3, 1, DIM), spec).withEngine(engine());
    try (AttentionBackend one = AttentionBackends.open(config.withThreads(1));
        AttentionBackend many = AttentionBackends.open(config.withThreads(threads))) {
      List<List<float[]>> together = BatchRun.run(many, scripts);
      for (int s = 0; s < sequences; s++) {
        BatchRun.assertClose(
            BatchRun.run(one, List.of(scripts.get(s))).getFirst(),
            together.get(s),
            EngineTraits.neighbourTolerance(engine()));
      }
    }
  }

  // As many tries as the configuration says, since every one counts where a sanitizer watches.
  @Property(edgeCases = EdgeCasesMode.NONE)
  void scriptsMatchTheOracle(
      @ForAll("settings") Setting s, @ForAll("scripts") List<Op> script, @ForAll long seed) {
    ModelShape shape = ModelShape.of(LAYERS, 2, 1, DIM);
    int page = Math.max(s.page, 32 * EngineTraits.pageScale(engine(), s.codec));
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .pageTokens(page)
            .windowTokens(s.window)
            .codec(s.codec)
            .firstSinkLayer(1)
            .sinks(new SinkPolicy(s.pool, s.spill))
            .capacityTokens(s.window + s.pages * page / MAX_SEQUENCES)
            .maxSequences(MAX_SEQUENCES)
            .build();
    try (Lockstep lockstep = new Lockstep(engine(), shape, spec, 2, Data.of(seed, s.style))) {
      List<Lockstep.Pair> pairs = new ArrayList<>();
      pairs.add(lockstep.open());
      for (Op op : script) {
        apply(lockstep, pairs, op);
      }
      pairs.forEach(pair -> StateCheck.verify(lockstep.backend(), pair));
      while (!pairs.isEmpty()) {
        pairs.remove(lockstep.data().nextInt(pairs.size())).sequence().close();
      }
      BackendStats end = lockstep.backend().stats();
      assertEquals(0, end.pages());
      assertEquals(0, end.tokens());
      assertEquals(0, end.usedBytes());
    }
  }

  private static void apply(Lockstep lockstep, List<Lockstep.Pair> pairs, Op op) {
    BackendStats before = lockstep.backend().stats();
    Lockstep.Pair one = pairs.isEmpty() ? null : pairs.get(op.a % pairs.size());
    if (one == null && op.kind != Kind.OPEN) {
      return;
    }
    try {
      switch (op.kind) {
        case STEP -> step(lockstep, some(pairs, op), op, LAYERS, true);
        case APPEND -> append(lockstep, some(pairs, op), op);
        case DECODE -> step(lockstep, pairs, new Op(op.kind, 0, 0), LAYERS, true);
        case ROLLBACK -> {
          step(lockstep, some(pairs, op), op, op.b % (LAYERS + 1), false);
          assertEquals(before, lockstep.backend().stats());
        }
        case BAD -> {
          bad(lockstep, one, 1 + op.b % 90, op.b % LAYERS);
          assertEquals(before, lockstep.backend().stats());
        }
        case OPEN -> pairs.add(lockstep.open());
        case FORK -> pairs.add(lockstep.fork(one));
        case TRUNCATE -> {
          lockstep.truncate(one, op.b % (one.sequence().length() + 1));
          StateCheck.verify(lockstep.backend(), one);
        }
        case CLOSE -> {
          one.sequence().close();
          pairs.remove(one);
        }
      }
    } catch (CapacityExhaustedException e) {
      assertEquals(before, lockstep.backend().stats());
    }
  }

  private static List<Lockstep.Pair> some(List<Lockstep.Pair> pairs, Op op) {
    List<Lockstep.Pair> chosen = new ArrayList<>();
    for (int i = 0; i <= op.a % 3 && i < pairs.size(); i++) {
      chosen.add(pairs.get((op.b + i) % pairs.size()));
    }
    return chosen;
  }

  /** Rows from the numbers of the operation: now and then a prompt, else a few. */
  private static int[] rows(int sequences, Op op) {
    int[] rows = new int[sequences];
    for (int i = 0; i < sequences; i++) {
      int n = op.a / 3 + i * op.b;
      rows[i] = 1 + (n % 3 == 0 ? n % 5 : n % 100);
    }
    return rows;
  }

  private static void append(Lockstep lockstep, List<Lockstep.Pair> pairs, Op op) {
    try (Lockstep.OpenStep step = lockstep.begin(pairs, rows(pairs.size(), op))) {
      for (int layer = 0; layer < LAYERS; layer++) {
        if ((op.b + layer) % 3 == 0) {
          step.run(layer);
        } else {
          step.append(layer);
        }
      }
      step.commit();
    }
    pairs.forEach(pair -> StateCheck.verify(lockstep.backend(), pair));
  }

  private static void step(
      Lockstep lockstep, List<Lockstep.Pair> pairs, Op op, int layers, boolean commit) {
    try (Lockstep.OpenStep step = lockstep.begin(pairs, rows(pairs.size(), op))) {
      for (int layer = 0; layer < layers; layer++) {
        step.run(layer);
      }
      if (commit) {
        step.commit();
      }
    }
    pairs.forEach(pair -> StateCheck.verify(lockstep.backend(), pair));
  }

  private static void bad(Lockstep lockstep, Lockstep.Pair pair, int rows, int layer) {
    float[] k = new float[rows * DIM];
    k[k.length - 1] = Float.NaN;
    float[] q = new float[rows * 2 * DIM];
    try (AttentionPlan plan =
        lockstep.backend().plan(AttentionMetadata.single(pair.sequence(), rows))) {
      assertThrows(
          InvalidArgumentException.class,
          () ->
              plan.run(
                  layer,
                  TensorView.of(q, rows, 2, DIM),
                  TensorView.of(k, rows, 1, DIM),
                  TensorView.of(new float[rows * DIM], rows, 1, DIM),
                  TensorView.of(new float[q.length], rows, 2, DIM)));
    }
    StateCheck.verify(lockstep.backend(), pair);
  }
}
