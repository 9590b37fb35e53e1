package org.sinkq.cli.plan;

/**
 * Expected time of a decode step by what takes it, in seconds.
 *
 * @param gemm matrix products with the weights
 * @param attention attention of all layers, with appending the step's rows
 * @param flush sink selection and packing, spread over the steps between two flushes
 */
public record StepTime(double gemm, double attention, double flush) {
  /** All of it. */
  public double total() {
    return gemm + attention + flush;
  }
}
