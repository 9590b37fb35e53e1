package org.sinkq;

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
   * Begins a step: reserves every page it will fill, or throws and reserves none.
   *
   * @throws CapacityExhaustedException if pages run out
   * @throws InvalidArgumentException if a sequence is closed, belongs to another backend, occurs
   *     twice or is part of an open plan
   */
  AttentionPlan plan(AttentionMetadata metadata);

  /** Current use of the cache. */
  BackendStats stats();

  /**
   * Closes every sequence and frees the memory. Does nothing the second time.
   *
   * @throws InvalidArgumentException if a plan is still open; nothing is closed
   */
  @Override
  void close();
}
