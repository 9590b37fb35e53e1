package org.sinkq.cpu;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import org.sinkq.DeviceException;

/**
 * Refuses what this machine, or the container it is, cannot hold. The operating system may grant
 * more than there is and then kill whoever touches it; the Java heap's limits do not count memory
 * of arenas.
 */
final class HostMemory {
  private static final long TOTAL =
      ManagementFactory.getOperatingSystemMXBean() instanceof OperatingSystemMXBean system
          ? system.getTotalMemorySize()
          : Long.MAX_VALUE;

  private HostMemory() {}

  static void require(long bytes, String what) {
    if (bytes > TOTAL) {
      throw outOfMemory(what + " (" + bytes + " bytes of " + TOTAL + " in this machine)", null);
    }
  }

  static DeviceException outOfMemory(String what, OutOfMemoryError cause) {
    return new DeviceException(
        0,
        "OUT_OF_MEMORY",
        "no memory for " + what + "; lower the capacity or the rows of a step",
        cause);
  }
}
