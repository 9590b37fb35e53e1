package org.sinkq;

import java.io.IOException;
import java.nio.channels.ReadableByteChannel;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * An attention engine with its KV cache. Thread-safe: sequences and plans may be made on any
 * thread, and several plans may be open at a time as long as they share no sequence.
 */
public interface AttentionBackend extends AutoCloseable {
  /** What it was opened with. */
  BackendConfig config();

  /** The engine that runs and, if it was chosen automatically, why. */
  EngineStatus engine();

  /**
   * An empty sequence.
   *
   * @throws CapacityExhaustedException if no sequence slot is free
   */
  KvSequence newSequence();

  /**
   * A sequence that was saved, with pages of its own. Attention over it and all that becomes of it
   * are, bit for bit, as for the saved one on the same engine; from one engine to another codes,
   * scales, masks and rows are, and results agree as those engines do. One exception: attention
   * masses of the window are not saved, see {@link SinkPolicy.Selection#MOST_ATTENDED}.
   *
   * @param from blocking; left open, and right behind the sequence if it returns
   * @throws IOException if the channel throws it
   * @throws CapacityExhaustedException if pages or sequence slots run out
   * @throws InvalidArgumentException if it is no saved sequence, of another version, shape or cache
   *     format, in the page order of an engine that is not there, damaged, or ends too early; or
   *     the backend is a wrapper that cannot restore. In every case the backend is as it was
   */
  default KvSequence restore(ReadableByteChannel from) throws IOException {
    throw new InvalidArgumentException(
        "backend=" + getClass().getSimpleName() + ", expected one that restores sequences");
  }

  /**
   * Begins a step: reserves every page it will fill, or throws and reserves none.
   *
   * @throws CapacityExhaustedException if pages run out
   * @throws InvalidArgumentException if a sequence is closed, belongs to another backend, occurs
   *     twice or is part of an open plan; or for a bad element of a replayed step, see {@link
   *     DecodeGraph}
   */
  AttentionPlan plan(AttentionMetadata metadata);

  /**
   * Records a decode step, to be replayed for token after token at little cost to the host. On a
   * device {@code body} is called while its stream records: it runs every layer once and may queue
   * work of its own on {@link RecordedStep#stream()} in between, but must not allocate, wait, or
   * use this backend otherwise. It is called more than once, later on too if page tables outgrow
   * the recording; a host engine calls it for every step.
   *
   * @param batch most sequences of a step, the rows of the recorded tensors
   * @param body records every layer once
   * @throws InvalidArgumentException if {@code batch} is not positive, a layer is missing, a tensor
   *     does not fit, or the backend is a wrapper that cannot record; nothing has changed
   * @throws DeviceException if memory for it cannot be had
   */
  default DecodeGraph record(int batch, Consumer<RecordedStep> body) {
    throw new InvalidArgumentException(
        "backend=" + getClass().getSimpleName() + ", expected one that records steps");
  }

  /**
   * The engine itself, for hosts that work on its device: see the engine's own documentation for
   * the types it offers.
   *
   * @return empty if this engine has nothing of the type
   */
  default <T> Optional<T> engineAs(Class<T> type) {
    return Optional.empty();
  }

  /** Current use of the cache. */
  BackendStats stats();

  /**
   * Closes every sequence and recording and frees the memory. Does nothing the second time.
   *
   * @throws InvalidArgumentException if a plan is still open; nothing is closed
   */
  @Override
  void close();
}
