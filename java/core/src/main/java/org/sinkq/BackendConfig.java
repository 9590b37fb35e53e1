package org.sinkq;

import static org.sinkq.InvalidArgumentException.require;

/**
 * What {@link AttentionBackends#open} needs to know.
 *
 * @param shape attention geometry of the model
 * @param cache size and format of the cache
 * @param engine name of an engine, or {@link #AUTO} for the best that can run here
 * @param threads threads of a host engine, the calling one included; 0 is one per processor
 * @param device number of the device of a device engine, or {@link #DEFAULT_DEVICE}; what a host
 *     engine does not look at
 */
public record BackendConfig(
    ModelShape shape, KvCacheSpec cache, String engine, int threads, int device) {
  /** Picks the best engine that can run here. */
  public static final String AUTO = "auto";

  /** The device that the engine takes if nobody says which: for {@code cuda}, the first one. */
  public static final int DEFAULT_DEVICE = -1;

  /** Checks the ranges. */
  public BackendConfig {
    require(
        threads >= 0 && threads <= 1024,
        "threads=%d, expected 0 (one per processor) to 1024",
        threads);
    require(
        device >= DEFAULT_DEVICE,
        "device=%d, expected 0 or more, or %d for the engine's default",
        device,
        DEFAULT_DEVICE);
  }

  /** On the engine's default device. */
  public BackendConfig(ModelShape shape, KvCacheSpec cache, String engine, int threads) {
    this(shape, cache, engine, threads, DEFAULT_DEVICE);
  }

  /** Best engine, one thread per processor. */
  public static BackendConfig of(ModelShape shape, KvCacheSpec cache) {
    return new BackendConfig(shape, cache, AUTO, 0);
  }

  /** The same configuration with an engine asked for by name. */
  public BackendConfig withEngine(String name) {
    return new BackendConfig(shape, cache, name, threads, device);
  }

  /** The same configuration with another number of threads. */
  public BackendConfig withThreads(int count) {
    return new BackendConfig(shape, cache, engine, count, device);
  }

  /** The same configuration on a device with that number. */
  public BackendConfig withDevice(int number) {
    return new BackendConfig(shape, cache, engine, threads, number);
  }
}
