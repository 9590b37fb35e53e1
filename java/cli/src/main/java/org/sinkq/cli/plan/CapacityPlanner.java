package org.sinkq.cli.plan;

import static org.sinkq.InvalidArgumentException.require;

import org.sinkq.AttentionBackends;
import org.sinkq.BackendConfig;
import org.sinkq.KvCacheSpec;

/** Divides a GPU's memory among the weights of a model and the sequences of a cache. */
public final class CapacityPlanner {
  /** Most sequences that a plan counts. */
  private static final int MOST_SEQUENCES = 1 << 16;

  private final DecoderShape model;
  private final long memoryBytes;
  private final String engine;

  /**
   * A planner for one model.
   *
   * @param memoryBytes device memory for weights and cache
   * @param engine whose bytes are counted
   */
  public CapacityPlanner(DecoderShape model, long memoryBytes, String engine) {
    require(
        memoryBytes > model.weightBytes(),
        "memory=%d, expected more than the %d bytes of the weights of %s",
        memoryBytes,
        model.weightBytes(),
        model.name());
    this.model = model;
    this.memoryBytes = memoryBytes;
    this.engine = engine;
  }

  /** Bytes that weights leave for the cache. */
  public long cacheBytes() {
    return memoryBytes - model.weightBytes();
  }

  /** A cache format that only lacks its size. */
  public interface Format {
    /** The cache of that size. */
    KvCacheSpec spec(int sequences, int contextTokens);
  }

  /**
   * Bytes that the engine allocates.
   *
   * @param contextTokens tokens of each sequence
   */
  public long requiredBytes(Format format, int sequences, int contextTokens) {
    return requiredBytes(model, engine, format.spec(sequences, contextTokens));
  }

  static long requiredBytes(DecoderShape model, String engine, KvCacheSpec spec) {
    return AttentionBackends.requiredBytes(BackendConfig.of(model.attention(), spec), engine);
  }

  /**
   * Most sequences of {@code contextTokens} tokens that fit beside the weights; 0 if none does.
   * Every sequence takes as many bytes as the first.
   */
  public int sequencesThatFit(Format format, int contextTokens) {
    long fits = cacheBytes() / requiredBytes(format, 1, contextTokens);
    return (int) Math.min(fits, MOST_SEQUENCES);
  }
}
