package org.sinkq.llm.generate;

import static org.sinkq.InvalidArgumentException.require;

/**
 * How the next token is chosen. The filters apply in the order of the parameters; each works on the
 * probabilities at the given temperature, and the most probable token always stays.
 *
 * @param temperature divides the logits; 0 takes the most probable token and ignores the rest
 * @param topK keeps that many of the most probable tokens; 0 is all
 * @param topP keeps the most probable tokens that together have at least this probability among
 *     those that topK kept; 1 is all
 * @param minP drops tokens less probable than this fraction of the most probable one; 0 is none
 * @param seed makes the choice reproducible
 */
public record SamplingOptions(double temperature, int topK, double topP, double minP, long seed) {
  private static final double MAX_TEMPERATURE = 100;

  /** Always the most probable token. */
  public static final SamplingOptions GREEDY = new SamplingOptions(0, 0, 1, 0, 0);

  /** Checks the ranges. */
  public SamplingOptions {
    require(
        temperature >= 0 && temperature <= MAX_TEMPERATURE,
        "temperature=%s, expected 0 (greedy) to %s",
        temperature,
        MAX_TEMPERATURE);
    require(topK >= 0, "topK=%d, expected 0 (all) or more", topK);
    require(topP > 0 && topP <= 1, "topP=%s, expected more than 0, up to 1 (all)", topP);
    require(minP >= 0 && minP < 1, "minP=%s, expected 0 (none) or more, below 1", minP);
  }

  /** From the whole distribution at a temperature. */
  public static SamplingOptions of(double temperature, long seed) {
    return new SamplingOptions(temperature, 0, 1, 0, seed);
  }

  /** The same options with another topK. */
  public SamplingOptions withTopK(int value) {
    return new SamplingOptions(temperature, value, topP, minP, seed);
  }

  /** The same options with another topP. */
  public SamplingOptions withTopP(double value) {
    return new SamplingOptions(temperature, topK, value, minP, seed);
  }

  /** The same options with another minP. */
  public SamplingOptions withMinP(double value) {
    return new SamplingOptions(temperature, topK, topP, value, seed);
  }

  /** Whether the seed has no effect. */
  public boolean isGreedy() {
    return temperature == 0;
  }
}
