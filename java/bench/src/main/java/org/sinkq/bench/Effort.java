package org.sinkq.bench;

/**
 * How much a table measures.
 *
 * @param tokens context of the long comparisons
 * @param layers layers at D = 128; twice as many at D = 64
 * @param warmup rounds that do not count
 * @param rounds rounds that do
 * @param batch sequences of the planning table
 * @param threads threads of the engine
 */
record Effort(int tokens, int layers, int warmup, int rounds, int batch, int threads) {
  /** 32K tokens in four layers: even 2-bit pages do not fit into the last-level cache. */
  static Effort full(int threads) {
    return new Effort(32 * 1024, 4, 30, 31, 1024, threads);
  }

  /** The same tables in a quarter of the time, from caches of a quarter of the size. */
  static Effort quick(int threads) {
    return new Effort(8 * 1024, 2, 20, 11, 256, threads);
  }

  Workload d128(int contextTokens) {
    return Workload.d128(layers, contextTokens);
  }

  Workload d64(int contextTokens) {
    return Workload.d64(2 * layers, contextTokens);
  }
}
