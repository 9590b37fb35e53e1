package org.sinkq.cpu;

import org.sinkq.engine.VectorSupport;

/** How this run of the tests was started; the only test class that asks. */
final class TestSimd {
  private TestSimd() {}

  /** Whether the suite runs on the scalar kernels. */
  static boolean isOff() {
    return "off".equals(System.getProperty(VectorSupport.PROPERTY));
  }
}
