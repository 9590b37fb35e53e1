package org.sinkq.llm.model;

import static org.sinkq.InvalidArgumentException.require;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.sinkq.AttentionBackend;
import org.sinkq.ModelShape;
import org.sinkq.concurrent.WorkerPool;
import org.sinkq.cuda.CudaDevice;
import org.sinkq.cuda.CudaHost;
import org.sinkq.cuda.ForwardKernels;
import org.sinkq.llm.DecodeLoop;
import org.sinkq.llm.LlamaSize;
import org.sinkq.llm.StepPart;
import org.sinkq.llm.tensor.Kernels;

/**
 * Weights on the device of a backend, and what computes with them there. Not thread-safe, and its
 * loops take turns with one another.
 */
public final class DeviceModel implements AutoCloseable {
  private final ModelConfig config;
  private final int vocabulary;
  private final AttentionBackend backend;
  private final CudaDevice device;
  private final CudaDevice.Stream stream;
  private final DeviceMemory memory;
  private final DeviceMemory weightMemory;
  private final ForwardKernels kernels;
  private final DeviceWeights weights;
  private final RopeTable rope;
  private final List<RecordedLoop> loops = new ArrayList<>();
  private long ropeTable;
  private int ropePositions;
  private boolean closed;

  /** Where the weights come from. */
  @FunctionalInterface
  private interface Source {
    DeviceWeights fill(DeviceMemory memory, ForwardKernels kernels);
  }

  private DeviceModel(
      AttentionBackend backend,
      ModelConfig config,
      int vocabulary,
      RopeTable rope,
      DeviceMemory weightMemory,
      Source source) {
    CudaHost host = check(backend, config);
    this.backend = backend;
    this.config = config;
    this.vocabulary = vocabulary;
    this.rope = rope;
    this.weightMemory = weightMemory;
    device = host.device();
    stream = host.stream();
    device.prepareProducts(stream);
    kernels = new ForwardKernels(device, stream);
    memory = new DeviceMemory(device, stream);
    boolean done = false;
    try {
      weights = source.fill(weightMemory, kernels);
      done = true;
    } finally {
      if (!done) {
        memory.close();
        kernels.close();
      }
    }
  }

  /** A model with weights of its own. */
  private static DeviceModel open(
      AttentionBackend backend, ModelConfig config, int vocabulary, RopeTable rope, Source source) {
    CudaHost host = check(backend, config);
    DeviceMemory weightMemory = new DeviceMemory(host.device(), host.stream());
    boolean done = false;
    try {
      DeviceModel model = new DeviceModel(backend, config, vocabulary, rope, weightMemory, source);
      done = true;
      return model;
    } finally {
      if (!done) {
        weightMemory.close();
      }
    }
  }

  /** Refuses an engine without a device, and a model that runs on the CPU only. */
  static CudaHost check(AttentionBackend backend, ModelConfig config) {
    CudaHost host = backend.engineAs(CudaHost.class).orElse(null);
    require(host != null, "engine=%s, expected cuda", backend.engine().name());
    require(
        config.architecture() != Architecture.GEMMA3,
        "architecture=%s, expected llama, qwen2 or qwen3 to run on a GPU",
        config.architecture().id());
    return host;
  }

  private static void checkShape(AttentionBackend backend, ModelShape shape) {
    require(
        backend.config().shape().equals(shape),
        "backend's shape=%s, expected the model's, %s",
        backend.config().shape(),
        shape);
  }

  /** Sends the weights of a file up. */
  static DeviceModel send(
      AttentionBackend backend,
      ModelConfig config,
      ModelWeights weights,
      RopeTable rope,
      Kernels hostKernels,
      WorkerPool workers) {
    return open(
        backend,
        config,
        weights.vocabulary(),
        rope,
        (memory, kernels) -> DeviceWeights.send(weights, memory, hostKernels, workers));
  }

  /**
   * Makes random weights.
   *
   * @throws org.sinkq.InvalidArgumentException if the backend has another shape or engine
   * @throws org.sinkq.DeviceException if the weights do not fit, or cuBLAS is missing
   */
  public static DeviceModel random(LlamaSize size, long seed, AttentionBackend backend) {
    checkShape(backend, size.shape());
    ModelConfig config = ModelConfig.of(size);
    return open(
        backend,
        config,
        size.vocabulary(),
        new RopeTable(config, config.ropeBase(), config.ropeFactor(), null),
        (memory, kernels) ->
            new RandomWeights(config, memory, kernels, seed).fill(size.vocabulary()));
  }

  /** Whether weights for a backend would be the ones that are here. */
  boolean isOnDeviceOf(AttentionBackend other) {
    return !closed && check(other, config).device() == device;
  }

  /**
   * Takes the weights to another backend of the device, where nothing has to be sent. This model is
   * closed then.
   *
   * @throws org.sinkq.InvalidArgumentException if the backend has another shape or engine, or
   *     another device; nothing has changed
   */
  public DeviceModel moveTo(AttentionBackend other) {
    checkShape(other, config.shape());
    require(
        isOnDeviceOf(other),
        "device of the backend=%s, expected that of the weights",
        check(other, config).device().facts().name());
    DeviceModel moved =
        new DeviceModel(
            other, config, vocabulary, rope, weightMemory, (memory, kernels) -> weights);
    release();
    return moved;
  }

  /** Sizes of the model. */
  public ModelConfig config() {
    return config;
  }

  /** Tokens of the vocabulary. */
  public int vocabulary() {
    return vocabulary;
  }

  /** Device memory of the weights and the RoPE table, in bytes. */
  public long bytes() {
    return weightMemory.bytes() + memory.bytes();
  }

  /**
   * Some parts of a decode step, or all; what the others would have written is random.
   *
   * @param parts at least one
   * @throws org.sinkq.DeviceException if memory for it cannot be had
   */
  public DecodeLoop decodeLoop(int batch, Set<StepPart> parts) {
    require(!closed, "model=closed, expected an open one");
    require(batch > 0, "batch=%d, expected 1 or more", batch);
    require(!parts.isEmpty(), "parts=[], expected at least one");
    RecordedLoop loop = new RecordedLoop(this, batch, parts);
    loops.add(loop);
    return loop;
  }

  AttentionBackend backend() {
    return backend;
  }

  CudaDevice device() {
    return device;
  }

  CudaDevice.Stream stream() {
    return stream;
  }

  DeviceWeights weights() {
    return weights;
  }

  ForwardKernels kernels() {
    return kernels;
  }

  /** Memory that lives as long as the model, besides that of the weights. */
  DeviceMemory memory() {
    return memory;
  }

  void multiply(CudaDevice.Product product) {
    device.multiply(product, stream);
  }

  /** [positions, pairs, 2] cosines and sines; moves when {@link #ensureRope} makes it grow. */
  long ropeTable() {
    return ropeTable;
  }

  /**
   * Makes the positions available that the cache can hold, so that recordings need no other table.
   */
  void ensureRope() {
    int capacity = backend.config().cache().capacityTokens();
    ensureRope(Math.clamp(capacity, 1, config.contextLength()));
  }

  /** Makes positions up to {@code end} available. The table is that of the host. */
  void ensureRope(int end) {
    if (end <= ropePositions) {
      return;
    }
    rope.ensure(end);
    // Steps under way read the old one.
    device.synchronize(stream);
    memory.free(ropeTable);
    ropeTable = 0;
    ropePositions = 0;
    int pairs = rope.pairs();
    int positions = rope.positions();
    float[] table = new float[Math.multiplyExact(2 * positions, pairs)];
    for (int p = 0; p < positions; p++) {
      for (int i = 0; i < pairs; i++) {
        table[2 * (p * pairs + i)] = rope.cosine(p, i);
        table[2 * (p * pairs + i) + 1] = rope.sine(p, i);
      }
    }
    ropeTable = memory.vector(table);
    ropePositions = positions;
  }

  void closed(RecordedLoop loop) {
    loops.remove(loop);
  }

  /** Gives the loops up and frees the memory. Does nothing the second time. */
  @Override
  public void close() {
    if (!closed) {
      release();
      weightMemory.close();
    }
  }

  /** Gives everything up but the weights. */
  private void release() {
    closed = true;
    List.copyOf(loops).forEach(RecordedLoop::close);
    memory.close();
    kernels.close();
  }
}
