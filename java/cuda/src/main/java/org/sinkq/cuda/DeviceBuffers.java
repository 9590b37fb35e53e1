package org.sinkq.cuda;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.Set;

/**
 * Memory of one engine on a device and page-locked on the host, so that closing frees all of it. An
 * allocation that fails leaves nothing behind.
 */
final class DeviceBuffers implements AutoCloseable {
  /** A pair of equally large buffers, for what goes back and forth. */
  record Mirrored(MemorySegment host, long device) {
    long bytes() {
      return host.byteSize();
    }
  }

  private static final long SMALLEST = 1 << 16;

  private final CudaDevice device;
  private final Set<Long> addresses = new HashSet<>();
  private final Set<MemorySegment> pinned = new HashSet<>();
  private final ArrayDeque<Mirrored> idle = new ArrayDeque<>();

  DeviceBuffers(CudaDevice device) {
    this.device = device;
  }

  /** Device memory. */
  long allocate(long bytes) {
    long address = device.allocate(Math.max(bytes, 1));
    addresses.add(address);
    return address;
  }

  void free(long address) {
    if (addresses.remove(address)) {
      device.free(address);
    }
  }

  /** A pair of at least this size, an earlier one if it fits. */
  Mirrored mirrored(long bytes) {
    for (Mirrored buffer : idle) {
      if (buffer.bytes() >= bytes) {
        idle.remove(buffer);
        return buffer;
      }
    }
    long size = Math.max(SMALLEST, Long.highestOneBit(Math.max(1, bytes - 1)) * 2);
    Mirrored small = idle.poll();
    if (small != null) {
      release(small);
    }
    long address = allocate(size);
    boolean done = false;
    try {
      Mirrored pair = new Mirrored(pinned(size), address);
      done = true;
      return pair;
    } finally {
      if (!done) {
        free(address);
      }
    }
  }

  /** Keeps a pair for later; no work that uses it may be under way. */
  void giveBack(Mirrored buffer) {
    idle.add(buffer);
  }

  /** Page-locked host memory alone. */
  MemorySegment pinned(long bytes) {
    MemorySegment host = device.allocatePinned(bytes);
    pinned.add(host);
    return host;
  }

  void freePinned(MemorySegment host) {
    if (pinned.remove(host)) {
      device.freePinned(host);
    }
  }

  private void release(Mirrored buffer) {
    free(buffer.device);
    freePinned(buffer.host);
  }

  @Override
  public void close() {
    idle.clear();
    addresses.forEach(device::free);
    addresses.clear();
    pinned.forEach(device::freePinned);
    pinned.clear();
  }
}
