package org.sinkq.cli.eval;

import org.sinkq.BackendConfig;
import org.sinkq.KvCacheSpec;

/**
 * A cache that takes part in a comparison.
 *
 * @param name for people
 * @param config how it is opened; for one sequence
 */
public record Contender(String name, BackendConfig config) {
  /** Whether any of its layers stores codes instead of rows. */
  public boolean isQuantized() {
    KvCacheSpec cache = config.cache();
    for (int layer = 0; layer < config.shape().numLayers(); layer++) {
      if (cache.layer(layer).codec().isQuantized()) {
        return true;
      }
    }
    return false;
  }

  /**
   * Most tokens before a query that may still all be in full precision: a query further on reads
   * codes. 0 for a dense cache, which has none.
   */
  public int exactTokens() {
    KvCacheSpec cache = config.cache();
    return isQuantized() ? cache.windowTokens() + cache.pageTokens() : 0;
  }
}
