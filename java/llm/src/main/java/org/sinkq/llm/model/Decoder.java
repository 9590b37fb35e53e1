package org.sinkq.llm.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.InvalidArgumentException;
import org.sinkq.TensorView;
import org.sinkq.concurrent.WorkerPool;
import org.sinkq.llm.ForwardBatch;
import org.sinkq.llm.Logits;
import org.sinkq.llm.gguf.GgufFile;
import org.sinkq.llm.tensor.Kernels;
import org.sinkq.llm.tensor.Linear;
import org.sinkq.llm.tensor.Products;

/** Runs steps of a model. Not thread-safe. */
public final class Decoder implements AutoCloseable {
  /** Rows of a task that works row by row. */
  private static final int ROWS_PER_TASK = 8;

  /** Rows whose logits are computed together: enough to read the output matrix seldom. */
  private static final int LOGIT_ROWS = 64;

  private final ModelConfig config;
  private final ModelWeights weights;
  private final RopeTable rope;

  /** For the layers with a sliding window; often the same. */
  private final RopeTable slidingRope;

  private final Kernels kernels;
  private final WorkerPool workers;
  private final Products products;
  private final Workspace space;
  private DeviceDecoder onDevice;
  private AttentionBackend deviceBackend;

  /**
   * A decoder on a file, which must outlive it.
   *
   * @throws org.sinkq.llm.InvalidModelException if the file is no model of a known architecture
   */
  public Decoder(GgufFile file, Kernels kernels, WorkerPool workers) {
    config = ModelConfig.read(file);
    weights = ModelWeights.read(file, config);
    rope = new RopeTable(config, config.ropeBase(), config.ropeFactor(), weights.ropeFactors());
    slidingRope =
        config.slidingRopeBase() == 0
            ? rope
            : new RopeTable(config, config.slidingRopeBase(), 1, null);
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
   * Sends the weights to the device of a backend; steps on that backend alone run there from now
   * on.
   *
   * @throws org.sinkq.InvalidArgumentException if the backend's engine has no device
   * @throws org.sinkq.DeviceException if the weights do not fit, or cuBLAS is missing
   */
  public void moveTo(AttentionBackend backend) {
    DeviceModel.check(backend, config);
    if (onDevice != null && onDevice.model().isOnDeviceOf(backend)) {
      DeviceModel moved = onDevice.model().moveTo(backend);
      close();
      onDevice = new DeviceDecoder(moved);
    } else {
      close();
      onDevice =
          new DeviceDecoder(DeviceModel.send(backend, config, weights, rope, kernels, workers));
    }
    deviceBackend = backend;
  }

  /** The model on the device of a backend, if it was moved there. */
  public Optional<DeviceModel> onDevice(AttentionBackend backend) {
    return backend == deviceBackend ? Optional.of(onDevice.model()) : Optional.empty();
  }

  /**
   * Runs a decode step and yields the most probable tokens; its arguments have been checked.
   *
   * @param batch with one row for each sequence
   * @return [rows] of equally probable tokens the lowest
   * @throws org.sinkq.InvalidArgumentException if a logit is NaN or positive infinity; the step is
   *     rolled back
   */
  public int[] mostProbable(ForwardBatch batch) {
    if (batch.backend() == deviceBackend) {
      return onDevice.mostProbable(batch.metadata().sequences(), batch.tokens());
    }
    int rows = batch.rows();
    float[][] logits = forward(List.of(batch), IntStream.range(0, rows).toArray());
    try {
      return Arrays.stream(logits).mapToInt(Logits::mostProbable).toArray();
    } catch (InvalidArgumentException e) {
      batch.metadata().sequences().forEach(s -> s.truncate(s.length() - 1));
      throw e;
    }
  }

  /** Frees the device's memory. */
  @Override
  public void close() {
    if (onDevice != null) {
      onDevice.close();
      onDevice = null;
      deviceBackend = null;
    }
  }

  /**
   * Runs a step; its arguments have been checked.
   *
   * @param batches whose rows are numbered in their order
   * @param logitRows rows whose logits are wanted
   * @return [logitRows, vocabulary]
   */
  public float[][] forward(List<ForwardBatch> batches, int[] logitRows) {
    if (batches.size() == 1 && batches.getFirst().backend() == deviceBackend) {
      return onDevice.forward(batches.getFirst(), logitRows);
    }
    int rows = batches.stream().mapToInt(ForwardBatch::rows).sum();
    List<Share> shares = new ArrayList<>(batches.size());
    try {
      space.begin(rows);
      int first = 0;
      for (ForwardBatch batch : batches) {
        shares.add(share(batch, first));
        first += batch.rows();
      }
      int positions = setPositions(batches);
      rope.ensure(positions);
      slidingRope.ensure(positions);
      embed(batches);
      for (int i = 0; i < weights.layers().size(); i++) {
        ModelWeights.Layer layer = weights.layers().get(i);
        attend(shares, i, layer, rows);
        feedForward(layer, rows);
      }
      float[][] logits = logits(logitRows);
      shares.forEach(share -> share.plan.commit());
      return logits;
    } finally {
      shares.forEach(share -> share.plan.close());
    }
  }

  /** The plan of one batch, and its rows of the activations. */
  private record Share(
      AttentionPlan plan, TensorView q, TensorView k, TensorView v, TensorView out) {}

  private Share share(ForwardBatch batch, int first) {
    int rows = batch.rows();
    int heads = config.shape().numQoHeads();
    int kvHeads = config.shape().numKvHeads();
    TensorView q = space.view(space.qkv[0], first, rows, heads);
    TensorView k = space.view(space.qkv[1], first, rows, kvHeads);
    TensorView v = space.view(space.qkv[2], first, rows, kvHeads);
    TensorView out = space.view(space.attention, first, rows, heads);
    return new Share(batch.backend().plan(batch.metadata()), q, k, v, out);
  }

  private void embed(List<ForwardBatch> batches) {
    int first = 0;
    for (ForwardBatch batch : batches) {
      int from = first * config.width();
      int[] tokens = batch.tokens();
      forRows(
          tokens.length,
          r -> {
            int at = from + r * config.width();
            kernels.dequantize(weights.embedding(), tokens[r], space.x, at);
            scale(at);
          });
      first += tokens.length;
    }
  }

  /** Scales an embedding, where the model does. */
  private void scale(int at) {
    float factor = config.embeddingScale();
    for (int i = at; factor != 1 && i < at + config.width(); i++) {
      space.x[i] *= factor;
    }
  }

  /** Returns one more than the highest position of the step. */
  private int setPositions(List<ForwardBatch> batches) {
    int end = 0;
    int row = 0;
    for (ForwardBatch batch : batches) {
      AttentionMetadata metadata = batch.metadata();
      for (int s = 0; s < metadata.sequences().size(); s++) {
        int length = metadata.sequences().get(s).length();
        for (int i = 0; i < metadata.rows(s); i++) {
          space.position[row++] = length + i;
        }
        end = Math.max(end, length + metadata.rows(s));
      }
    }
    return end;
  }

  private void attend(List<Share> shares, int index, ModelWeights.Layer layer, int rows) {
    norm(layer.attentionNorm(), rows);
    products.apply(layer.qkv(), space.normed, rows, space.qkv);
    RopeTable table = config.shape().slidingWindow(index) > 0 ? slidingRope : rope;
    forRows(rows, r -> turn(layer, table, r));
    for (Share share : shares) {
      share.plan.run(index, share.q, share.k, share.v, share.out);
    }
    addTo(layer.attentionOutput(), space.attention, layer.attentionPostNorm(), rows);
  }

  /** Norms by head, where the model has them, and RoPE of one row of q and k. */
  private void turn(ModelWeights.Layer layer, RopeTable table, int row) {
    turn(space.qkv[0], config.shape().numQoHeads(), layer.qNorm(), table, row);
    turn(space.qkv[1], config.shape().numKvHeads(), layer.kNorm(), table, row);
  }

  private void turn(float[] x, int heads, float[] norm, RopeTable table, int row) {
    int dim = config.shape().headDim();
    for (int h = 0; h < heads; h++) {
      int at = (row * heads + h) * dim;
      if (norm != null) {
        kernels.rmsNorm(x, at, dim, norm, config.normEpsilon(), x, at);
      }
      table.rotate(x, at, space.position[row]);
    }
  }

  private void feedForward(ModelWeights.Layer layer, int rows) {
    norm(layer.feedForwardNorm(), rows);
    products.applyGated(
        config.architecture().activation(),
        layer.gate(),
        layer.up(),
        space.normed,
        rows,
        space.gate,
        space.up);
    addTo(layer.down(), space.gate, layer.feedForwardPostNorm(), rows);
  }

  private void norm(float[] norm, int rows) {
    int width = config.width();
    forRows(
        rows,
        r ->
            kernels.rmsNorm(
                space.x, r * width, width, norm, config.normEpsilon(), space.normed, r * width));
  }

  /** {@code x += norm(map(from))}, without the norm if it is null. */
  private void addTo(Linear map, float[] from, float[] norm, int rows) {
    int width = config.width();
    float[] added = space.normed;
    products.apply(map, from, rows, added);
    forRows(
        rows,
        r -> {
          int at = r * width;
          if (norm != null) {
            kernels.rmsNorm(added, at, width, norm, config.normEpsilon(), added, at);
          }
          kernels.add(space.x, added, at, width);
        });
  }

  private float[][] logits(int[] logitRows) {
    float[][] logits = new float[logitRows.length][vocabulary()];
    for (int first = 0; first < logits.length; first += LOGIT_ROWS) {
      int from = first;
      int rows = Math.min(LOGIT_ROWS, logits.length - first);
      space.beginLogits(rows, vocabulary());
      int width = config.width();
      forRows(
          rows,
          r ->
              kernels.rmsNorm(
                  space.x,
                  logitRows[from + r] * width,
                  width,
                  weights.outputNorm(),
                  config.normEpsilon(),
                  space.last,
                  r * width));
      products.apply(weights.output(), space.last, rows, space.logits);
      for (int r = 0; r < rows; r++) {
        System.arraycopy(space.logits, r * vocabulary(), logits[first + r], 0, vocabulary());
      }
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
