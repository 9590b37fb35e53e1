package org.sinkq.llm;

import static org.sinkq.InvalidArgumentException.require;

import java.nio.file.Path;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Collectors;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionMetadata;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.concurrent.WorkerPool;
import org.sinkq.llm.gguf.GgufFile;
import org.sinkq.llm.gguf.GgufTensor;
import org.sinkq.llm.gguf.TensorType;
import org.sinkq.llm.model.Decoder;
import org.sinkq.llm.model.DeviceModel;
import org.sinkq.llm.model.ModelConfig;
import org.sinkq.llm.tensor.Kernels;

/**
 * A Llama-family model that keeps its keys and values in a SinkQ cache. It runs on the CPU, or on
 * the GPU that holds the cache.
 *
 * <p>Thread-safe; steps take turns. The weights stay in the file's memory map.
 */
public final class LanguageModel implements AutoCloseable {
  private final ReentrantLock lock = new ReentrantLock();
  private final GgufFile file;
  private final WorkerPool workers;
  private final Decoder decoder;
  private final ModelInfo info;
  private boolean closed;

  private LanguageModel(GgufFile file, WorkerPool workers) {
    this.file = file;
    this.workers = workers;
    decoder = new Decoder(file, Kernels.best(), workers);
    info = describe();
  }

  /**
   * Opens a model.
   *
   * @param gguf a GGUF file of a supported architecture
   * @param threads threads that share a step, the calling one included; 0 is one per processor. A
   *     backend with the same number shares the threads
   * @throws InvalidModelException if the file is damaged or not supported
   */
  public static LanguageModel open(Path gguf, int threads) {
    require(
        threads >= 0 && threads <= 1024,
        "threads=%d, expected 0 (one per processor) to 1024",
        threads);
    GgufFile file = GgufFile.open(gguf);
    WorkerPool workers =
        WorkerPool.shared(threads == 0 ? Runtime.getRuntime().availableProcessors() : threads);
    LanguageModel opened = null;
    try {
      opened = new LanguageModel(file, workers);
      return opened;
    } finally {
      if (opened == null) {
        workers.close();
        file.close();
      }
    }
  }

  private ModelInfo describe() {
    ModelConfig config = decoder.config();
    ModelShape shape = config.shape();
    return new ModelInfo(
        file.metadata().findString("general.name").orElse(file.path().getFileName().toString()),
        file.metadata().string("general.architecture"),
        shape.numLayers(),
        shape.numQoHeads(),
        shape.numKvHeads(),
        shape.headDim(),
        config.contextLength(),
        decoder.vocabulary(),
        file.tensors().stream().mapToLong(GgufTensor::elements).sum(),
        quantization());
  }

  private String quantization() {
    Map<TensorType, Long> elements = new EnumMap<>(TensorType.class);
    for (GgufTensor tensor : file.tensors()) {
      if (tensor.shape().size() > 1) {
        elements.merge(tensor.type(), tensor.elements(), Long::sum);
      }
    }
    return elements.entrySet().stream()
        .sorted(Map.Entry.comparingByValue(Comparator.reverseOrder()))
        .map(entry -> entry.getKey().name())
        .collect(Collectors.joining(" + "));
  }

  /** What the model is. */
  public ModelInfo info() {
    return info;
  }

  /** The shape that a backend for this model must be opened with. */
  public ModelShape attentionShape() {
    return decoder.config().shape();
  }

  /** The file, open as long as the model; it also holds the tokenizer. */
  public GgufFile file() {
    return file;
  }

  /**
   * Sends the weights, as fp16, to the GPU of a backend on the cuda engine. Steps on that backend
   * run there from now on, those on others, or on several at once, as before. Only one backend at a
   * time; close it before or after the model. Moving on to another backend of the same GPU sends
   * nothing.
   *
   * @throws org.sinkq.InvalidArgumentException if the backend has another shape or engine, the
   *     architecture runs on the CPU only, or a weight is beyond the fp16 range
   * @throws org.sinkq.DeviceException if the weights do not fit into the device's memory, or cuBLAS
   *     is missing
   */
  public void moveTo(AttentionBackend backend) {
    lock.lock();
    try {
      require(!closed, "model=closed, expected an open one");
      checkShape(backend);
      decoder.moveTo(backend);
    } finally {
      lock.unlock();
    }
  }

  /**
   * Runs one step: new tokens of several sequences, row by row. Their positions follow from the
   * lengths of the sequences. What a row yields does not depend on the other sequences of the step,
   * nor on the number of threads. If anything fails, the step is rolled back.
   *
   * @param backend opened for {@link #attentionShape()}
   * @param metadata which rows belong to which sequence
   * @param tokens [rows] token ids
   * @param logitRows rows whose logits are wanted, any number of them
   * @return [logitRows, vocabulary], for the token that follows each row
   * @throws org.sinkq.InvalidArgumentException if an argument does not fit, or a sequence would
   *     exceed the model's context
   * @throws org.sinkq.CapacityExhaustedException if the cache is full
   */
  public float[][] forward(
      AttentionBackend backend, AttentionMetadata metadata, int[] tokens, int[] logitRows) {
    return forward(List.of(new ForwardBatch(backend, metadata, tokens)), logitRows);
  }

  /**
   * Runs one step on several backends, as to compare caches: each batch yields what it would yield
   * alone, and the weights are read once.
   *
   * @param batches at least one; a backend may occur several times with different sequences
   * @param logitRows rows whose logits are wanted, numbered over all batches in their order
   * @return [logitRows, vocabulary], for the token that follows each row
   * @throws org.sinkq.InvalidArgumentException if an argument does not fit, or a sequence would
   *     exceed the model's context
   * @throws org.sinkq.CapacityExhaustedException if a cache is full; all batches are rolled back
   */
  public float[][] forward(List<ForwardBatch> batches, int[] logitRows) {
    lock.lock();
    try {
      require(!closed, "model=closed, expected an open one");
      require(!batches.isEmpty(), "batches=[], expected at least one");
      int rows = 0;
      for (ForwardBatch batch : batches) {
        check(batch.backend(), batch.metadata(), batch.tokens());
        rows += batch.rows();
      }
      for (int row : logitRows) {
        require(row >= 0 && row < rows, "logitRows contains %d, expected 0 to %d", row, rows - 1);
      }
      return decoder.forward(batches, logitRows);
    } finally {
      lock.unlock();
    }
  }

  /**
   * Runs a decode step and chooses the most probable next token of each sequence. On a GPU the
   * choice is made there, so that no logits come down.
   *
   * @param backend opened for {@link #attentionShape()}
   * @param sequences of the backend, none twice
   * @param tokens [sequences] what is appended to each
   * @return [sequences] of equally probable tokens the lowest
   * @throws org.sinkq.InvalidArgumentException as for {@link #forward}, or if a logit is NaN or
   *     positive infinity; the step is rolled back
   * @throws org.sinkq.CapacityExhaustedException if the cache is full
   */
  public int[] mostProbable(
      AttentionBackend backend, List<? extends KvSequence> sequences, int[] tokens) {
    lock.lock();
    try {
      require(!closed, "model=closed, expected an open one");
      AttentionMetadata metadata = AttentionMetadata.decode(sequences);
      check(backend, metadata, tokens);
      return decoder.mostProbable(new ForwardBatch(backend, metadata, tokens));
    } finally {
      lock.unlock();
    }
  }

  /**
   * Decode steps on the device of a backend that the model was moved to: replayed, and without
   * waiting between them. The loop takes no part in the turns of steps: nothing else may use the
   * model meanwhile. It ends with the model, at the latest.
   *
   * @param batch most sequences of a step
   * @throws org.sinkq.InvalidArgumentException if the model was not moved to the backend
   * @throws org.sinkq.DeviceException if memory for it cannot be had
   */
  public DecodeLoop decodeLoop(AttentionBackend backend, int batch) {
    return decodeLoop(backend, batch, EnumSet.allOf(StepPart.class));
  }

  /**
   * Some parts of a decode step, to time them; see {@link RandomModel#decodeLoop(int, Set)}.
   *
   * @param batch most sequences of a step
   * @param parts at least one
   */
  public DecodeLoop decodeLoop(AttentionBackend backend, int batch, Set<StepPart> parts) {
    lock.lock();
    try {
      require(!closed, "model=closed, expected an open one");
      DeviceModel device = decoder.onDevice(backend).orElse(null);
      require(device != null, "backend=%s, expected the one of moveTo", backend.engine().name());
      return device.decodeLoop(batch, parts);
    } finally {
      lock.unlock();
    }
  }

  private void checkShape(AttentionBackend backend) {
    ModelShape shape = backend.config().shape();
    require(
        shape.equals(attentionShape()),
        "backend's shape=%s, expected the model's, %s",
        shape,
        attentionShape());
  }

  private void check(AttentionBackend backend, AttentionMetadata metadata, int[] tokens) {
    checkShape(backend);
    int rows = metadata.totalTokens();
    require(
        tokens.length == rows,
        "tokens has %d entries, expected one for each of %d rows",
        tokens.length,
        rows);
    for (int r = 0; r < rows; r++) {
      require(
          tokens[r] >= 0 && tokens[r] < info.vocabularySize(),
          "tokens[%d]=%d, expected 0 to %d",
          r,
          tokens[r],
          info.vocabularySize() - 1);
    }
    for (int s = 0; s < metadata.sequences().size(); s++) {
      int length = metadata.sequences().get(s).length();
      require(
          metadata.rows(s) <= info.contextLength() - length,
          "%d tokens after %d, expected at most %d in all: the model's context",
          metadata.rows(s),
          length,
          info.contextLength());
    }
  }

  /** Ends the mapping and the threads. Does nothing the second time. */
  @Override
  public void close() {
    lock.lock();
    try {
      if (!closed) {
        closed = true;
        decoder.close();
        workers.close();
        file.close();
      }
    } finally {
      lock.unlock();
    }
  }
}
