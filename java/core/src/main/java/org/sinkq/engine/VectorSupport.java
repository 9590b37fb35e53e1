package org.sinkq.engine;

/**
 * Whether code on the Vector API may run; engines and hosts with kernels of their own ask here. The
 * only place that reads configuration from outside the API.
 */
public final class VectorSupport {
  /**
   * System property; {@code off} selects the scalar kernels even where the Vector API is present.
   */
  public static final String PROPERTY = "sinkq.simd";

  private VectorSupport() {}

  /** Whether the user has left it switched on. */
  public static boolean allowed() {
    return !"off".equals(System.getProperty(PROPERTY));
  }

  /** Whether the JVM was started with the module. */
  public static boolean present() {
    return ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();
  }

  /** Whether it is both allowed and present. */
  public static boolean usable() {
    return allowed() && present();
  }
}
