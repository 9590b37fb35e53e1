package org.sinkq.bench;

import java.util.SplittableRandom;
import org.sinkq.ModelShape;
import org.sinkq.TensorView;

/**
 * Queries, keys and values that look like a model's: every KV head has a few outlier channels whose
 * keys are large and nearly uniform over tokens, and a few sink tokens whose keys are small in
 * every channel. Row by row from a seed, so that caches of different codecs hold the same tokens.
 */
final class Trace {
  private static final int OUTLIER_EVERY = 32;
  private static final float OUTLIER = 9f;
  private static final int SINKS = 3;
  private static final float SINK_KEY = 0.05f;

  private final ModelShape shape;
  private final SplittableRandom random;

  Trace(ModelShape shape, long seed) {
    this.shape = shape;
    random = new SplittableRandom(seed);
  }

  /** [rows, numQoHeads, headDim] queries. */
  TensorView queries(int rows) {
    float[] q = new float[rows * shape.numQoHeads() * shape.headDim()];
    for (int i = 0; i < q.length; i++) {
      q[i] = normal();
    }
    return TensorView.of(q, rows, shape.numQoHeads(), shape.headDim());
  }

  /** [rows, numKvHeads, headDim] keys of the tokens from {@code position} on. */
  TensorView keys(int rows, int position) {
    int dim = shape.headDim();
    float[] k = new float[rows * shape.numKvHeads() * dim];
    for (int i = 0; i < k.length; i++) {
      int channel = i % dim;
      int token = position + i / (dim * shape.numKvHeads());
      int head = i / dim % shape.numKvHeads();
      float x = normal();
      if ((channel + 5 * head) % OUTLIER_EVERY == 0) {
        x = OUTLIER + 0.5f * x;
      }
      k[i] = token < SINKS ? SINK_KEY * x : x;
    }
    return TensorView.of(k, rows, shape.numKvHeads(), dim);
  }

  /** [rows, numKvHeads, headDim] values. */
  TensorView values(int rows) {
    float[] v = new float[rows * shape.numKvHeads() * shape.headDim()];
    for (int i = 0; i < v.length; i++) {
      v[i] = normal();
    }
    return TensorView.of(v, rows, shape.numKvHeads(), shape.headDim());
  }

  /** [rows, numQoHeads, headDim] zeros. */
  TensorView output(int rows) {
    return TensorView.of(
        new float[rows * shape.numQoHeads() * shape.headDim()],
        rows,
        shape.numQoHeads(),
        shape.headDim());
  }

  /** Nearly normal: four uniform numbers from one draw, mean 0, variance 1. */
  private float normal() {
    long bits = random.nextLong();
    int sum = (short) bits + (short) (bits >> 16) + (short) (bits >> 32) + (short) (bits >> 48);
    return sum * (1.7320508f / 65536);
  }
}
