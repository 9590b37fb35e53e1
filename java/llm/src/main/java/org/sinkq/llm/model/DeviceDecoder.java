package org.sinkq.llm.model;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.DType;
import org.sinkq.ModelShape;
import org.sinkq.TensorView;
import org.sinkq.concurrent.WorkerPool;
import org.sinkq.cuda.CudaDevice;
import org.sinkq.cuda.CudaHost;
import org.sinkq.cuda.ForwardKernels;
import org.sinkq.llm.ForwardBatch;
import org.sinkq.llm.tensor.Kernels;

/**
 * Runs steps of a model on the device of a backend, in order with the attention there. Not
 * thread-safe.
 *
 * <pre>
 *   x fp32 ─► norm fp16 ─► product qkv fp32 ─► bias, norm, RoPE ─► attention fp16 ─► product += x
 *     │                                                                                    │
 *     └──◄── product += x ◄── gate fp16 ◄── product gate, up fp32 ◄── norm fp16 ◄──────────┘
 * </pre>
 */
final class DeviceDecoder implements AutoCloseable {
  /** Rows whose logits are computed together. */
  private static final int LOGIT_ROWS = 64;

  private final ModelConfig config;
  private final ModelShape shape;
  private final int vocabulary;
  private final RopeTable rope;
  private final CudaDevice device;
  private final CudaDevice.Stream stream;
  private final DeviceMemory memory;
  private final DeviceWeights weights;
  private final ForwardKernels kernels;
  private final MemorySegment pinnedLogits;
  private final long logits;
  private final long which;
  private long ropeTable;
  private int ropePositions;
  private Space space = new Space(0, 0, 0, 0, 0, 0, 0, 0);

  /**
   * Activations of up to {@code rows} rows.
   *
   * @param x [rows, width] the residual stream
   * @param normed [rows, width] fp16, at least as many rows as logits are computed for together
   * @param qkv [rows, query heads + 2 KV heads, headDim]
   * @param attended [rows, query heads, headDim] fp16
   * @param gateUp [rows, 2, feedForward]
   * @param gated [rows, feedForward] fp16
   * @param tokens [2 * rows] ints: tokens of a step, and behind them positions
   */
  private record Space(
      int rows,
      long x,
      long normed,
      long qkv,
      long attended,
      long gateUp,
      long gated,
      long tokens) {}

  /**
   * Sends the weights up.
   *
   * @throws org.sinkq.DeviceException if they do not fit, or cuBLAS is missing
   */
  DeviceDecoder(
      CudaHost host,
      ModelConfig config,
      ModelWeights model,
      RopeTable rope,
      Kernels hostKernels,
      WorkerPool workers) {
    this.config = config;
    this.rope = rope;
    shape = config.shape();
    vocabulary = model.vocabulary();
    device = host.device();
    stream = host.stream();
    device.prepareProducts();
    kernels = new ForwardKernels(device, stream);
    memory = new DeviceMemory(device, stream);
    boolean done = false;
    try {
      weights = DeviceWeights.send(model, memory, hostKernels, workers);
      long logitBytes = (long) LOGIT_ROWS * vocabulary * Float.BYTES;
      logits = memory.allocate(logitBytes);
      which = memory.allocate((long) LOGIT_ROWS * Integer.BYTES);
      pinnedLogits = memory.pinned(logitBytes);
      done = true;
    } finally {
      if (!done) {
        memory.close();
        kernels.close();
      }
    }
  }

  /**
   * Runs a step; its arguments have been checked.
   *
   * @param logitRows rows whose logits are wanted
   * @return [logitRows, vocabulary]
   */
  float[][] forward(ForwardBatch batch, int[] logitRows) {
    int rows = batch.rows();
    try (AttentionPlan plan = batch.backend().plan(batch.metadata())) {
      ensure(rows);
      sendRows(batch);
      kernels.embed(weights.embedding(), space.tokens, space.x, rows, config.width());
      for (int i = 0; i < weights.layers().size(); i++) {
        layer(plan, i, rows);
      }
      float[][] result = logits(logitRows);
      plan.commit();
      return result;
    }
  }

  private void ensure(int rows) {
    if (rows <= space.rows) {
      return;
    }
    for (long address :
        new long[] {
          space.x, space.normed, space.qkv, space.attended, space.gateUp, space.gated, space.tokens
        }) {
      memory.free(address);
    }
    space = new Space(0, 0, 0, 0, 0, 0, 0, 0);
    long n = rows;
    int dim = shape.headDim();
    space =
        new Space(
            rows,
            memory.allocate(n * config.width() * Float.BYTES),
            memory.allocate(Math.max(n, LOGIT_ROWS) * config.width() * Short.BYTES),
            memory.allocate(n * (shape.numQoHeads() + 2 * shape.numKvHeads()) * dim * Float.BYTES),
            memory.allocate(n * shape.numQoHeads() * dim * Short.BYTES),
            memory.allocate(n * 2 * config.feedForward() * Float.BYTES),
            memory.allocate(n * config.feedForward() * Short.BYTES),
            memory.allocate(2 * n * Integer.BYTES));
  }

  /** Sends tokens and, behind them, positions. */
  private void sendRows(ForwardBatch batch) {
    AttentionMetadata metadata = batch.metadata();
    int rows = batch.rows();
    int[] numbers = Arrays.copyOf(batch.tokens(), 2 * rows);
    int end = 0;
    for (int s = 0; s < metadata.sequences().size(); s++) {
      int length = metadata.sequences().get(s).length();
      for (int i = 0; i < metadata.rows(s); i++) {
        numbers[rows + metadata.firstRow(s) + i] = length + i;
      }
      end = Math.max(end, length + metadata.rows(s));
    }
    ensureRope(end);
    memory.queueInts(space.tokens, numbers);
  }

  /** The table of the device is that of the host, a new one where that has grown. */
  private void ensureRope(int end) {
    if (end <= ropePositions) {
      return;
    }
    rope.ensure(end);
    memory.free(ropeTable);
    ropePositions = rope.positions();
    int pairs = rope.pairs();
    float[] table = new float[Math.multiplyExact(2 * ropePositions, pairs)];
    for (int p = 0; p < ropePositions; p++) {
      for (int i = 0; i < pairs; i++) {
        table[2 * (p * pairs + i)] = rope.cosine(p, i);
        table[2 * (p * pairs + i) + 1] = rope.sine(p, i);
      }
    }
    ropeTable = memory.vector(table);
  }

  private void layer(AttentionPlan plan, int index, int rows) {
    DeviceWeights.Layer layer = weights.layers().get(index);
    int width = config.width();
    int dim = shape.headDim();
    int queries = shape.numQoHeads() * dim;
    int all = queries + 2 * shape.numKvHeads() * dim;
    int inner = config.feedForward();
    norm(layer.attentionNorm(), rows);
    multiply(layer.qkv(), space.normed, space.qkv, rows, all, width, false);
    kernels.turn(
        space.qkv,
        space.tokens + (long) rows * Integer.BYTES,
        rows,
        shape.numQoHeads(),
        shape.numKvHeads(),
        dim,
        new ForwardKernels.Rotation(
            layer.qkvBias(),
            layer.qNorm(),
            layer.kNorm(),
            ropeTable,
            rope.pairs(),
            rope.isInterleaved()),
        config.normEpsilon());
    int kvHeads = shape.numKvHeads();
    plan.run(
        index,
        part(0, shape.numQoHeads(), rows, all),
        part(queries, kvHeads, rows, all),
        part(queries + kvHeads * dim, kvHeads, rows, all),
        TensorView.ofDevice(space.attended, DType.F16, rows, shape.numQoHeads(), dim));
    addProduct(layer.attentionOutput(), layer.attentionOutputBias(), space.attended, rows, queries);
    norm(layer.feedForwardNorm(), rows);
    multiply(layer.gateUp(), space.normed, space.gateUp, rows, 2 * inner, width, false);
    kernels.gate(space.gateUp, layer.gateUpBias(), space.gated, rows, inner);
    addProduct(layer.down(), layer.downBias(), space.gated, rows, inner);
  }

  /** Heads of qkv, from element {@code first} of each row on. */
  private TensorView part(int first, int heads, int rows, int stride) {
    int dim = shape.headDim();
    long address = space.qkv + (long) first * Float.BYTES;
    return new TensorView(null, address, DType.F32, rows, heads, dim, stride, dim);
  }

  private void norm(long weight, int rows) {
    kernels.norm(space.x, weight, space.normed, 0, rows, config.width(), config.normEpsilon());
  }

  private void multiply(
      long matrix, long from, long to, int rows, int outputs, int inputs, boolean accumulate) {
    device.multiply(
        new CudaDevice.Product(matrix, from, to, rows, outputs, inputs, accumulate), stream);
  }

  /** {@code x += map(from)}. */
  private void addProduct(long matrix, long bias, long from, int rows, int inputs) {
    multiply(matrix, from, space.x, rows, config.width(), inputs, true);
    if (bias != 0) {
      kernels.addBias(space.x, bias, rows, config.width());
    }
  }

  private float[][] logits(int[] logitRows) {
    float[][] result = new float[logitRows.length][];
    for (int first = 0; first < result.length; first += LOGIT_ROWS) {
      int count = Math.min(LOGIT_ROWS, result.length - first);
      memory.queueInts(which, Arrays.copyOfRange(logitRows, first, first + count));
      kernels.norm(
          space.x,
          weights.outputNorm(),
          space.normed,
          which,
          count,
          config.width(),
          config.normEpsilon());
      multiply(weights.output(), space.normed, logits, count, vocabulary, config.width(), false);
      long rowBytes = (long) vocabulary * Float.BYTES;
      device.copyToHost(pinnedLogits.asSlice(0, count * rowBytes), logits, stream);
      device.synchronize(stream);
      for (int i = 0; i < count; i++) {
        result[first + i] = pinnedLogits.asSlice(i * rowBytes, rowBytes).toArray(JAVA_FLOAT);
      }
    }
    return result;
  }

  @Override
  public void close() {
    memory.close();
    kernels.close();
  }
}
