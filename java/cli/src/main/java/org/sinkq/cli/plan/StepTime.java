package org.sinkq.cli.plan;

/**
 * Expected time of a decode step by what takes it, in seconds.
 *
 * @param gemm matrix products with the weights
 * @param attention attention of all layers, with appending the step's rows
 * @param flush what sink selection and packing add, spread over the steps between two flushes
 * @param other embedding, norms, RoPE, gates, sampling
 */
public record StepTime(double gemm, double attention, double flush, double other) {
  /** All of it. */
  public double total() {
    return gemm + attention + flush + other;
  }
}
