package org.sinkq.llm.model;

import java.lang.foreign.MemorySegment;
import org.sinkq.DType;
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

  /** [logit rows, width] the normalized rows that the output matrix is applied to. */
  float[] last = {};

  /** [logit rows, vocabulary]. */
  float[] logits = {};

  Workspace(ModelConfig config) {
    this.config = config;
  }

  /** Makes room for the rows of a step. */
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
  }

  /** Makes room for rows of logits. */
  void beginLogits(int rows, int vocabulary) {
    if (rows * config.width() > last.length) {
      last = new float[rows * config.width()];
      logits = new float[Math.multiplyExact(rows, vocabulary)];
    }
  }

  /** A view of some rows of an array [rows, heads, headDim]. */
  TensorView view(float[] array, int firstRow, int rows, int heads) {
    int dim = config.shape().headDim();
    MemorySegment all = MemorySegment.ofArray(array);
    return TensorView.of(
        all.asSlice((long) firstRow * heads * dim * Float.BYTES), DType.F32, rows, heads, dim);
  }
}
