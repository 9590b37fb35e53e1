package org.sinkq;

import static org.sinkq.InvalidArgumentException.require;

/**
 * What {@link AttentionBackends#open} needs to know.
 *
 * @param shape attention geometry of the model
 * @param cache size and format of the cache
 * @param engine name of an engine, or {@link #AUTO} for the best that can run here
 * @param threads threads of a host engine, the calling one included; 0 is one per processor
 */
public record BackendConfig(ModelShape shape, KvCacheSpec cache, String engine, int threads) {
  /** Picks the best engine that can run here. */
  public static final String AUTO = "auto";

  /** Checks the ranges. */
  public BackendConfig {
    require(
        threads >= 0 && threads <= 1024,
        "threads=%d, expected 0 (one per processor) to 1024",
        threads);
  }

  /** Best engine, one thread per processor. */
  public static BackendConfig of(ModelShape shape, KvCacheSpec cache) {
    return new BackendConfig(shape, cache, AUTO, 0);
  }

  /** The same configuration with an engine asked for by name. */
  public BackendConfig withEngine(String name) {
    return new BackendConfig(shape, cache, name, threads);
  }

  /** The same configuration with another number of threads. */
  public BackendConfig withThreads(int count) {
    return new BackendConfig(shape, cache, engine, count);
  }
}
