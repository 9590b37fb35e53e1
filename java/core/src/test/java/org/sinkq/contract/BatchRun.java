package org.sinkq.contract;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.TensorView;

/** Runs scripts of steps side by side, to compare with the same scripts in other company. */
final class BatchRun {
  /**
   * One sequence's part: its numbers depend on the seed alone.
   *
   * @param rows of each step
   */
  record Script(long seed, int[] rows) {
    float[] numbers(int step, int layer, int kind, int length) {
      Random random = new Random(seed * 7919 + step * 31L + layer * 7L + kind);
      float[] x = new float[length];
      for (int i = 0; i < x.length; i++) {
        x[i] = (float) random.nextGaussian();
      }
      return x;
    }
  }

  private final AttentionBackend backend;
  private final ModelShape shape;
  private final List<Script> scripts;
  private final List<KvSequence> sequences = new ArrayList<>();
  private final List<List<float[]>> results = new ArrayList<>();

  private BatchRun(AttentionBackend backend, List<Script> scripts) {
    this.backend = backend;
    this.scripts = scripts;
    shape = backend.config().shape();
    for (int s = 0; s < scripts.size(); s++) {
      sequences.add(backend.newSequence());
      results.add(new ArrayList<>());
    }
  }

  /** One step of each script in a plan; returns every result of each script. */
  static List<List<float[]>> run(AttentionBackend backend, List<Script> scripts) {
    BatchRun run = new BatchRun(backend, scripts);
    for (int step = 0; step < scripts.getFirst().rows.length; step++) {
      run.step(step);
    }
    run.sequences.forEach(KvSequence::close);
    return run.results;
  }

  private void step(int step) {
    int[] indptr = new int[scripts.size() + 1];
    for (int s = 0; s < scripts.size(); s++) {
      indptr[s + 1] = indptr[s] + scripts.get(s).rows[step];
    }
    int rows = indptr[scripts.size()];
    int width = shape.numQoHeads() * shape.headDim();
    try (AttentionPlan plan = backend.plan(new AttentionMetadata(sequences, indptr))) {
      for (int layer = 0; layer < shape.numLayers(); layer++) {
        float[] out = new float[rows * width];
        plan.run(
            layer,
            pack(step, layer, 0, shape.numQoHeads(), indptr),
            pack(step, layer, 1, shape.numKvHeads(), indptr),
            pack(step, layer, 2, shape.numKvHeads(), indptr),
            TensorView.of(out, rows, shape.numQoHeads(), shape.headDim()));
        for (int s = 0; s < scripts.size(); s++) {
          results.get(s).add(Arrays.copyOfRange(out, indptr[s] * width, indptr[s + 1] * width));
        }
      }
      plan.commit();
    }
  }

  private TensorView pack(int step, int layer, int kind, int heads, int[] indptr) {
    int rows = indptr[scripts.size()];
    int width = heads * shape.headDim();
    float[] all = new float[rows * width];
    for (int s = 0; s < scripts.size(); s++) {
      int length = (indptr[s + 1] - indptr[s]) * width;
      float[] part = scripts.get(s).numbers(step, layer, kind, length);
      System.arraycopy(part, 0, all, indptr[s] * width, length);
    }
    return TensorView.of(all, rows, heads, shape.headDim());
  }

  /** Bit for bit. */
  static void assertSame(List<float[]> expected, List<float[]> actual) {
    assertEquals(expected.size(), actual.size());
    for (int i = 0; i < expected.size(); i++) {
      assertArrayEquals(expected.get(i), actual.get(i), "result " + i);
    }
  }

  /** Within a tolerance; 0 is bit for bit. */
  static void assertClose(List<float[]> expected, List<float[]> actual, float allowed) {
    if (allowed == 0) {
      assertSame(expected, actual);
      return;
    }
    assertEquals(expected.size(), actual.size());
    for (int i = 0; i < expected.size(); i++) {
      assertArrayEquals(expected.get(i), actual.get(i), allowed, "result " + i);
    }
  }
}
