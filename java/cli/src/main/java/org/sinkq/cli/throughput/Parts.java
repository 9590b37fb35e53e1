package org.sinkq.cli.throughput;

/**
 * What a decode step spends its time on, in seconds.
 *
 * @param gemm matrix products with the weights
 * @param attention attention of all layers, with appending the step's rows
 * @param flush sink selection and packing in a usual step, in which some sequences fill a page
 * @param other embedding, norms, RoPE, gates, sampling
 */
public record Parts(double gemm, double attention, double flush, double other) {
  /** All of it. */
  public double total() {
    return gemm + attention + flush + other;
  }
}
