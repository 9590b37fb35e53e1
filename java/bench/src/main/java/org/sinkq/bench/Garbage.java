package org.sinkq.bench;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;

/** Bytes allocated on the Java heap. */
final class Garbage {
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  private Garbage() {}

  static long allocatedByThisThread() {
    return THREADS.getCurrentThreadAllocatedBytes();
  }
}
