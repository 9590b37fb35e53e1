package org.sinkq.cpu;

/** How this run of the tests was started; the only test class that asks. */
final class TestSimd {
  private TestSimd() {}

  /** Whether the suite runs on the scalar kernels. */
  static boolean isOff() {
    return "off".equals(System.getProperty(CpuConfig.SIMD_PROPERTY));
  }
}
