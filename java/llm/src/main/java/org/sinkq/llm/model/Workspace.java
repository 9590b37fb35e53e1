package org.sinkq.llm.model;

import org.sinkq.TensorView;

/** The activations of a step; they grow to the longest step so far and are used again. */
final class Workspace {
  private final ModelConfig config;
  private int capacity;

  /** [rows, width] the residual stream. */
  float[] x;

  /** [rows, width] what is normalized, and what is added to x. */
  float[] normed;

  /** q, k and v, [rows, heads, headDim] each. */
  final float[][] qkv = new float[3][];

  /** [rows, query heads, headDim]. */
  float[] attention;

  /** [rows, feedForward]. */
  float[] gate;

  /** [rows, feedForward]. */
  float[] up;

  /** Position of each row. */
  int[] position;

  TensorView queries;
  TensorView keys;
  TensorView values;
  TensorView attended;

  Workspace(ModelConfig config) {
    this.config = config;
  }

  /** Makes room for a step and views of just its rows. */
  void begin(int rows) {
    int dim = config.shape().headDim();
    int heads = config.shape().numQoHeads();
    int kvHeads = config.shape().numKvHeads();
    if (rows > capacity) {
      capacity = 0;
      x = new float[Math.multiplyExact(rows, config.width())];
      normed = new float[x.length];
      qkv[0] = new float[Math.multiplyExact(rows, heads * dim)];
      qkv[1] = new float[rows * kvHeads * dim];
      qkv[2] = new float[rows * kvHeads * dim];
      attention = new float[qkv[0].length];
      gate = new float[Math.multiplyExact(rows, config.feedForward())];
      up = new float[gate.length];
      position = new int[rows];
      capacity = rows;
    }
    queries = TensorView.of(qkv[0], rows, heads, dim);
    keys = TensorView.of(qkv[1], rows, kvHeads, dim);
    values = TensorView.of(qkv[2], rows, kvHeads, dim);
    attended = TensorView.of(attention, rows, heads, dim);
  }
}
