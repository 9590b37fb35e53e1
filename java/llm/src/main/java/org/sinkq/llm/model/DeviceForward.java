package org.sinkq.llm.model;

import java.util.Set;
import org.sinkq.DType;
import org.sinkq.ModelShape;
import org.sinkq.TensorView;
import org.sinkq.cuda.CudaDevice;
import org.sinkq.cuda.CudaDevice.Result;
import org.sinkq.cuda.ForwardKernels;
import org.sinkq.llm.StepPart;

/**
 * Queues the forward pass of rows, or parts of it, for plain and for recorded steps alike.
 *
 * <pre>
 *   x fp32 ─► norm fp16 ─► product qkv fp16 ─► bias, norm, RoPE ─► attention fp16 ─► product += x
 *     │                                                                                    │
 *     └──◄── product += x ◄── gate fp16 ◄── product gate, up fp16 ◄── norm fp16 ◄──────────┘
 * </pre>
 */
final class DeviceForward {
  /** Appends and attends in one layer. */
  @FunctionalInterface
  interface Attention {
    void run(int layer, TensorView q, TensorView k, TensorView v, TensorView out);
  }

  private final DeviceModel model;
  private final ModelConfig config;
  private final ModelShape shape;
  private final DeviceWeights weights;
  private final ForwardKernels kernels;
  private final Activations space;
  private final Set<StepPart> parts;
  private final boolean other;

  /** A pass over rows that {@code space} has room for. */
  DeviceForward(DeviceModel model, Activations space, Set<StepPart> parts) {
    this.model = model;
    this.space = space;
    this.parts = parts;
    config = model.config();
    shape = config.shape();
    weights = model.weights();
    kernels = model.kernels();
    other = parts.contains(StepPart.OTHER);
  }

  /**
   * All layers, from tokens to the residual stream.
   *
   * @param tokens [rows] ints
   * @param positions [rows] ints
   */
  void layers(int rows, long tokens, long positions, Attention attention) {
    if (other) {
      kernels.embed(weights.embedding(), tokens, space.x(), rows, config.width());
    }
    for (int i = 0; i < weights.layers().size(); i++) {
      layer(attention, i, rows, positions);
    }
  }

  private void layer(Attention attention, int index, int rows, long positions) {
    DeviceWeights.Layer layer = weights.layers().get(index);
    int width = config.width();
    int dim = shape.headDim();
    int kvHeads = shape.numKvHeads();
    int queries = shape.numQoHeads() * dim;
    int all = queries + 2 * kvHeads * dim;
    int inner = config.feedForward();
    norm(layer.attentionNorm(), 0, rows);
    multiply(layer.qkv(), space.normed(), space.qkv(), rows, all, width, Result.HALF);
    if (other) {
      turn(layer, positions, rows);
    }
    if (parts.contains(StepPart.ATTENTION)) {
      attention.run(
          index,
          part(0, shape.numQoHeads(), rows, all),
          part(queries, kvHeads, rows, all),
          part(queries + kvHeads * dim, kvHeads, rows, all),
          TensorView.ofDevice(space.attended(), DType.F16, rows, shape.numQoHeads(), dim));
    }
    addProduct(
        layer.attentionOutput(), layer.attentionOutputBias(), space.attended(), rows, queries);
    norm(layer.feedForwardNorm(), 0, rows);
    multiply(layer.gateUp(), space.normed(), space.gateUp(), rows, 2 * inner, width, Result.HALF);
    if (other) {
      kernels.gate(space.gateUp(), layer.gateUpBias(), space.gated(), rows, inner);
    }
    addProduct(layer.down(), layer.downBias(), space.gated(), rows, inner);
  }

  private void turn(DeviceWeights.Layer layer, long positions, int rows) {
    kernels.turn(
        space.qkv(),
        positions,
        rows,
        shape.numQoHeads(),
        shape.numKvHeads(),
        shape.headDim(),
        new ForwardKernels.Rotation(
            layer.qkvBias(),
            layer.qNorm(),
            layer.kNorm(),
            model.ropeTable(),
            config.ropeDimensions() / 2,
            config.architecture().interleavedRope()),
        config.normEpsilon());
  }

  /** Heads of qkv, from element {@code first} of each row on. */
  private TensorView part(int first, int heads, int rows, int stride) {
    int dim = shape.headDim();
    long address = space.qkv() + (long) first * Short.BYTES;
    return new TensorView(null, address, DType.F16, rows, heads, dim, stride, dim);
  }

  private void norm(long weight, long which, int rows) {
    if (other) {
      kernels.norm(
          space.x(), weight, space.normed(), which, rows, config.width(), config.normEpsilon());
    }
  }

  private void multiply(
      long matrix, long from, long to, int rows, int outputs, int inputs, Result result) {
    if (parts.contains(StepPart.PRODUCTS)) {
      model.multiply(new CudaDevice.Product(matrix, from, to, rows, outputs, inputs, result));
    }
  }

  /** {@code x += map(from)}. */
  private void addProduct(long matrix, long bias, long from, int rows, int inputs) {
    multiply(matrix, from, space.x(), rows, config.width(), inputs, Result.ADDED);
    if (bias != 0 && other) {
      kernels.addBias(space.x(), bias, rows, config.width());
    }
  }

  /**
   * From the residual stream to logits.
   *
   * @param which [rows] ints, the rows of x; 0 for all in order
   * @param rows at most those that there is room for
   * @param logits [rows, vocabulary], written
   */
  void logits(long which, int rows, long logits) {
    norm(weights.outputNorm(), which, rows);
    multiply(
        weights.output(),
        space.normed(),
        logits,
        rows,
        model.vocabulary(),
        config.width(),
        Result.FLOAT);
  }
}
