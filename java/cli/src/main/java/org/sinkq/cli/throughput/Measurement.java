package org.sinkq.cli.throughput;

import java.util.Optional;
import org.sinkq.cli.plan.StepTime;

/**
 * Decode steps of one cache at one context and batch.
 *
 * @param kv name of the cache
 * @param context tokens that each sequence has memory for, on average
 * @param fit sequences of that many tokens that fit
 * @param sequences sequences of a step
 * @param meanTokens mean length of the sequences over the steps that were timed
 * @param stepSeconds time of a step, from many in a row
 * @param hostSeconds time that the host spends on a step while the device does its own
 * @param parts time on the device
 * @param memory what was allocated
 * @param predicted what the planner says; empty on devices that it does not know
 */
public record Measurement(
    String kv,
    int context,
    int fit,
    int sequences,
    double meanTokens,
    double stepSeconds,
    double hostSeconds,
    Parts parts,
    Memory memory,
    Optional<StepTime> predicted) {

  /**
   * Device memory in bytes.
   *
   * @param weights of the model, by its own count
   * @param cache by the engine's own count
   * @param device everything that the run has allocated, by the driver's count of free memory
   */
  public record Memory(long weights, long cache, long device) {
    /** Activations, tables, products' workspace, and what the driver rounds up. */
    public long workspace() {
      return device - weights - cache;
    }
  }

  /** Tokens that all sequences together receive. */
  public double tokensPerSecond() {
    return sequences / stepSeconds;
  }

  /** Share of a step in which the device has nothing to do. */
  public double idle() {
    return Math.max(0, 1 - parts.total() / stepSeconds);
  }
}
