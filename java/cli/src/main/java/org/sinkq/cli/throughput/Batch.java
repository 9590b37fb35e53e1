package org.sinkq.cli.throughput;

/**
 * How many sequences a step has.
 *
 * @param kind what the number depends on
 * @param count of {@link Kind#FIXED}
 */
public record Batch(Kind kind, int count) {
  /** What the number of sequences depends on. */
  public enum Kind {
    /** As many as fit. */
    MOST,
    /** As many as fit of the first cache. */
    EQUAL,
    /** The same for all. */
    FIXED
  }

  /**
   * The number for a cache.
   *
   * @param fit sequences that fit of this cache
   * @param referenceFit and of the first one
   */
  public int sequences(int fit, int referenceFit) {
    return switch (kind) {
      case MOST -> fit;
      case EQUAL -> referenceFit;
      case FIXED -> count;
    };
  }

  /**
   * For headings.
   *
   * @param reference name of the first cache
   */
  public String title(String reference) {
    return switch (kind) {
      case MOST -> "Equal memory: as many sequences as fit";
      case EQUAL -> "Equal batch: as many sequences as fit with " + reference;
      case FIXED -> count == 1 ? "1 sequence" : count + " sequences";
    };
  }
}
