package org.sinkq.llm;

import java.util.EnumSet;
import java.util.Set;
import org.sinkq.AttentionBackend;
import org.sinkq.llm.model.DeviceModel;

/**
 * A model with random weights that are made on the device, so that a size can be timed without a
 * file: fp16, spread so that what each map yields is about as large as what it gets. No biases, and
 * an output matrix of its own. Not thread-safe.
 *
 * <pre>
 *   RandomModel.open(size, seed, backend) ─► decodeLoop(batch) ─► step(sequences) ..., tokens()
 * </pre>
 */
public final class RandomModel implements AutoCloseable {
  private DeviceModel model;

  private RandomModel(DeviceModel model) {
    this.model = model;
  }

  /**
   * Makes the weights.
   *
   * @param seed the same one gives the same weights
   * @param backend of the cuda engine, opened for the size's shape
   * @throws org.sinkq.InvalidArgumentException if the backend has another shape or engine
   * @throws org.sinkq.DeviceException if the weights do not fit, or cuBLAS is missing
   */
  public static RandomModel open(LlamaSize size, long seed, AttentionBackend backend) {
    return new RandomModel(DeviceModel.random(size, seed, backend));
  }

  /**
   * Lets steps take place on another backend of the same device; the weights stay where they are.
   * Loops on the one before are closed, and that may be closed too.
   *
   * @throws org.sinkq.InvalidArgumentException if the backend has another shape, engine or device;
   *     nothing has changed
   */
  public void moveTo(AttentionBackend backend) {
    model = model.moveTo(backend);
  }

  /** Device memory of the weights and the RoPE table, in bytes. */
  public long bytes() {
    return model.bytes();
  }

  /**
   * A decode step of up to {@code batch} sequences.
   *
   * @throws org.sinkq.DeviceException if memory for it cannot be had
   */
  public DecodeLoop decodeLoop(int batch) {
    return decodeLoop(batch, EnumSet.allOf(StepPart.class));
  }

  /**
   * Some parts of a decode step alone, to time them: what the others would have written is random.
   * Without {@link StepPart#ATTENTION} sequences do not grow.
   *
   * @param batch most sequences of a step
   * @param parts at least one
   * @throws org.sinkq.DeviceException if memory for it cannot be had
   */
  public DecodeLoop decodeLoop(int batch, Set<StepPart> parts) {
    return model.decodeLoop(batch, parts);
  }

  /** Gives the loops up and frees the memory. Does nothing the second time. */
  @Override
  public void close() {
    model.close();
  }
}
