package org.sinkq.llm.model;

import java.util.function.IntConsumer;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.concurrent.WorkerPool;
import org.sinkq.llm.gguf.GgufFile;
import org.sinkq.llm.tensor.Kernels;
import org.sinkq.llm.tensor.Linear;
import org.sinkq.llm.tensor.Products;

/** Runs steps of a model. Not thread-safe. */
public final class Decoder {
  /** Rows of a task that works row by row. */
  private static final int ROWS_PER_TASK = 8;

  private final ModelConfig config;
  private final ModelWeights weights;
  private final RopeTable rope;
  private final Kernels kernels;
  private final WorkerPool workers;
  private final Products products;
  private final Workspace space;

  /**
   * A decoder on a file, which must outlive it.
   *
   * @throws org.sinkq.llm.InvalidModelException if the file is no model of a known architecture
   */
  public Decoder(GgufFile file, Kernels kernels, WorkerPool workers) {
    config = ModelConfig.read(file);
    weights = ModelWeights.read(file, config);
    rope = new RopeTable(config, weights.ropeFactors());
    this.kernels = kernels;
    this.workers = workers;
    products = new Products(kernels, workers);
    space = new Workspace(config);
  }

  /** Sizes of the model. */
  public ModelConfig config() {
    return config;
  }

  /** Tokens of the vocabulary. */
  public int vocabulary() {
    return weights.vocabulary();
  }

  /**
   * Runs a step; its arguments have been checked.
   *
   * @param tokens [rows] token ids
   * @param logitRows rows whose logits are wanted
   * @return [logitRows, vocabulary]
   */
  public float[][] forward(
      AttentionBackend backend, AttentionMetadata metadata, int[] tokens, int[] logitRows) {
    int rows = tokens.length;
    try (AttentionPlan plan = backend.plan(metadata)) {
      space.begin(rows);
      rope.ensure(setPositions(metadata));
      forRows(
          rows,
          r -> kernels.dequantize(weights.embedding(), tokens[r], space.x, r * config.width()));
      for (int i = 0; i < weights.layers().size(); i++) {
        ModelWeights.Layer layer = weights.layers().get(i);
        attend(plan, i, layer, rows);
        feedForward(layer, rows);
      }
      float[][] logits = logits(logitRows);
      plan.commit();
      return logits;
    }
  }

  /** Returns one more than the highest position of the step. */
  private int setPositions(AttentionMetadata metadata) {
    int end = 0;
    for (int s = 0; s < metadata.sequences().size(); s++) {
      int length = metadata.sequences().get(s).length();
      for (int i = 0; i < metadata.rows(s); i++) {
        space.position[metadata.firstRow(s) + i] = length + i;
      }
      end = Math.max(end, length + metadata.rows(s));
    }
    return end;
  }

  private void attend(AttentionPlan plan, int index, ModelWeights.Layer layer, int rows) {
    norm(layer.attentionNorm(), rows);
    products.apply(layer.qkv(), space.normed, rows, space.qkv);
    forRows(rows, r -> turn(layer, r));
    plan.run(index, space.queries, space.keys, space.values, space.attended);
    addTo(layer.attentionOutput(), space.attention, rows);
  }

  /** Norms by head, where the model has them, and RoPE of one row of q and k. */
  private void turn(ModelWeights.Layer layer, int row) {
    turn(space.qkv[0], config.shape().numQoHeads(), layer.qNorm(), row);
    turn(space.qkv[1], config.shape().numKvHeads(), layer.kNorm(), row);
  }

  private void turn(float[] x, int heads, float[] norm, int row) {
    int dim = config.shape().headDim();
    for (int h = 0; h < heads; h++) {
      int at = (row * heads + h) * dim;
      if (norm != null) {
        kernels.rmsNorm(x, at, dim, norm, config.normEpsilon(), x, at);
      }
      rope.rotate(x, at, space.position[row]);
    }
  }

  private void feedForward(ModelWeights.Layer layer, int rows) {
    norm(layer.feedForwardNorm(), rows);
    products.applyGated(layer.gate(), layer.up(), space.normed, rows, space.gate, space.up);
    addTo(layer.down(), space.gate, rows);
  }

  private void norm(float[] norm, int rows) {
    int width = config.width();
    forRows(
        rows,
        r ->
            kernels.rmsNorm(
                space.x, r * width, width, norm, config.normEpsilon(), space.normed, r * width));
  }

  /** {@code x += map(from)}. */
  private void addTo(Linear map, float[] from, int rows) {
    int width = config.width();
    products.apply(map, from, rows, space.normed);
    forRows(rows, r -> kernels.add(space.x, space.normed, r * width, width));
  }

  private float[][] logits(int[] logitRows) {
    int width = config.width();
    float[][] logits = new float[logitRows.length][];
    float[] row = new float[width];
    for (int i = 0; i < logits.length; i++) {
      kernels.rmsNorm(
          space.x, logitRows[i] * width, width, weights.outputNorm(), config.normEpsilon(), row, 0);
      logits[i] = new float[vocabulary()];
      products.apply(weights.output(), row, 1, logits[i]);
    }
    return logits;
  }

  private void forRows(int rows, IntConsumer task) {
    if (rows < 2 * ROWS_PER_TASK) {
      for (int r = 0; r < rows; r++) {
        task.accept(r);
      }
      return;
    }
    workers.run(
        (rows + ROWS_PER_TASK - 1) / ROWS_PER_TASK,
        (t, worker) -> {
          int end = Math.min(rows, (t + 1) * ROWS_PER_TASK);
          for (int r = t * ROWS_PER_TASK; r < end; r++) {
            task.accept(r);
          }
        });
  }
}
