package org.sinkq.cpu;

/** The only place that reads configuration from outside the API. */
final class CpuConfig {
  /**
   * System property; {@code off} selects the scalar kernels even where the Vector API is present.
   */
  static final String SIMD_PROPERTY = "sinkq.simd";

  private CpuConfig() {}

  static boolean simdAllowed() {
    return !"off".equals(System.getProperty(SIMD_PROPERTY));
  }
}
