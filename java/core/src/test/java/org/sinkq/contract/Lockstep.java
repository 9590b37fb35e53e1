package org.sinkq.contract;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.BackendConfig;
import org.sinkq.DType;
import org.sinkq.EngineAccess;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.TensorView;
import org.sinkq.reference.Attention;
import org.sinkq.reference.ReferenceSequence;
import org.sinkq.reference.Tensors;

/** Drives a backend and the oracle with the same calls and compares what comes out. */
public final class Lockstep implements AutoCloseable {
  /** A step with at most this many rows of a sequence is checked in full. */
  private static final int FULLY_CHECKED_ROWS = 3;

  /** A sequence and what the oracle makes of it. */
  public static final class Pair {
    private final KvSequence sequence;
    private ReferenceSequence reference;

    private Pair(KvSequence sequence, ReferenceSequence reference) {
      this.sequence = sequence;
      this.reference = reference;
    }

    /** The sequence of the backend. */
    public KvSequence sequence() {
      return sequence;
    }

    /** The oracle's state. */
    public ReferenceSequence reference() {
      return reference;
    }
  }

  private final AttentionBackend backend;
  private final ModelShape shape;
  private final Data data;

  /** Opens a backend. */
  public Lockstep(String engine, ModelShape shape, KvCacheSpec spec, int threads, Data data) {
    this(
        AttentionBackends.open(
            BackendConfig.of(shape, spec).withEngine(engine).withThreads(threads)),
        data);
  }

  /** Takes over an open backend. */
  public Lockstep(AttentionBackend backend, Data data) {
    this.backend = backend;
    this.data = data;
    shape = backend.config().shape();
  }

  /** The backend under test. */
  public AttentionBackend backend() {
    return backend;
  }

  /** Where the numbers come from. */
  public Data data() {
    return data;
  }

  /** A new sequence. */
  public Pair open() {
    return new Pair(backend.newSequence(), new ReferenceSequence(EngineAccess.geometry(backend)));
  }

  /** A fork. */
  public Pair fork(Pair of) {
    return new Pair(of.sequence.fork(), of.reference.copy());
  }

  /** A sequence that was restored from what another one saved, of this backend or another. */
  public Pair restored(KvSequence sequence, Pair saved) {
    return new Pair(sequence, saved.reference.copy());
  }

  /** Truncates both. */
  public void truncate(Pair pair, int length) {
    pair.sequence.truncate(length);
    pair.reference.truncate(length);
  }

  /** One committed step of a single sequence, with the state compared afterwards. */
  public void step(Pair pair, int rows) {
    step(List.of(pair), new int[] {rows}, true);
    StateCheck.verify(backend, pair);
  }

  /** One step of several sequences, committed or rolled back. */
  public void step(List<Pair> pairs, int[] rows, boolean commit) {
    try (OpenStep step = begin(pairs, rows)) {
      for (int layer = 0; layer < shape.numLayers(); layer++) {
        step.run(layer);
      }
      if (commit) {
        step.commit();
      }
    }
  }

  /** Begins a step whose layers the caller runs. */
  public OpenStep begin(List<Pair> pairs, int[] rows) {
    int[] indptr = new int[rows.length + 1];
    for (int i = 0; i < rows.length; i++) {
      indptr[i + 1] = indptr[i] + rows[i];
    }
    List<KvSequence> sequences = pairs.stream().map(Pair::sequence).toList();
    return new OpenStep(backend.plan(new AttentionMetadata(sequences, indptr)), pairs, rows);
  }

  /** A plan and, until it is committed, copies of the oracle's sequences. */
  public final class OpenStep implements AutoCloseable {
    private final AttentionPlan plan;
    private final List<Pair> pairs;
    private final int[] rows;
    private final List<ReferenceSequence> next = new ArrayList<>();

    private OpenStep(AttentionPlan plan, List<Pair> pairs, int[] rows) {
      this.plan = plan;
      this.pairs = pairs;
      this.rows = rows;
      pairs.forEach(pair -> next.add(pair.reference.copy()));
    }

    /** Runs one layer with fresh random rows and compares the result. */
    public TensorView run(int layer) {
      int tokens = Arrays.stream(rows).sum();
      int dim = shape.headDim();
      TensorView q = data.queries(tokens, shape.numQoHeads(), dim);
      TensorView k = data.keys(tokens, shape.numKvHeads(), dim);
      TensorView v = data.values(tokens, shape.numKvHeads(), dim);
      TensorView out = data.results(tokens, shape.numQoHeads(), dim);
      plan.run(layer, q, k, v, out);
      take(layer, k, v);
      int first = 0;
      for (int s = 0; s < rows.length; s++) {
        for (int i : checkedRows(layer, rows[s])) {
          compare(next.get(s), layer, i, first + i, q, out);
        }
        first += rows[s];
      }
      return out;
    }

    /** Appends fresh random rows to one layer, without attention. */
    public void append(int layer) {
      int tokens = Arrays.stream(rows).sum();
      TensorView k = data.keys(tokens, shape.numKvHeads(), shape.headDim());
      TensorView v = data.values(tokens, shape.numKvHeads(), shape.headDim());
      plan.append(layer, k, v);
      take(layer, k, v);
    }

    private void take(int layer, TensorView k, TensorView v) {
      int token = 0;
      for (int s = 0; s < rows.length; s++) {
        for (int i = 0; i < rows[s]; i++, token++) {
          for (int h = 0; h < shape.numKvHeads(); h++) {
            next.get(s).append(layer, h, Tensors.read(k, token, h), Tensors.read(v, token, h));
          }
        }
      }
    }

    /** All rows where their attention counts: the oracle takes its masses from them. */
    private int[] checkedRows(int layer, int count) {
      boolean all = EngineAccess.geometry(backend).tracksMass(layer);
      if (all || count <= FULLY_CHECKED_ROWS) {
        return IntStream.range(0, count).toArray();
      }
      return new int[] {0, data.nextInt(count), count - 1};
    }

    private void compare(
        ReferenceSequence reference, int layer, int row, int token, TensorView q, TensorView out) {
      for (int h = 0; h < shape.numQoHeads(); h++) {
        Attention attention = reference.attend(layer, h, Tensors.read(q, token, h), row);
        double[] expected = attention.result();
        float[] actual = Tensors.read(out, token, h);
        for (int d = 0; d < actual.length; d++) {
          double allowed =
              EngineTraits.tolerance(backend.config().engine())
                      * Math.max(1, attention.magnitude()[d])
                  + rounding(data.out()) * Math.abs(expected[d]);
          if (!(Math.abs(actual[d] - expected[d]) <= allowed)) {
            throw new AssertionError(
                "layer %d, row %d of a sequence of %d, head %d, channel %d: %s, expected %s"
                    .formatted(layer, row, reference.length(), h, d, actual[d], expected[d]));
          }
        }
      }
    }

    /** Commits both. */
    public void commit() {
      plan.commit();
      for (int s = 0; s < rows.length; s++) {
        next.get(s).endStep(rows[s]);
        pairs.get(s).reference = next.get(s);
      }
    }

    /** The plan itself. */
    public AttentionPlan plan() {
      return plan;
    }

    @Override
    public void close() {
      plan.close();
    }
  }

  private static double rounding(DType type) {
    return switch (type) {
      case F32 -> 0;
      case F16 -> 0x1p-11;
      case BF16 -> 0x1p-8;
    };
  }

  @Override
  public void close() {
    backend.close();
  }
}
