package org.sinkq.llm.model;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.sinkq.DeviceException;
import org.sinkq.cuda.CudaDevice;

/** Device memory of a decoder, and what goes there through page-locked memory. */
final class DeviceMemory implements AutoCloseable {
  /** Page-locked memory that weights pass through, in bytes. */
  static final int STAGING_BYTES = 8 << 20;

  final CudaDevice device;
  final CudaDevice.Stream stream;
  private final Map<Long, Long> bytes = new HashMap<>();
  private final List<MemorySegment> pinned = new ArrayList<>();
  private MemorySegment staging = MemorySegment.NULL;

  DeviceMemory(CudaDevice device, CudaDevice.Stream stream) {
    this.device = device;
    this.stream = stream;
  }

  long allocate(long bytes) {
    long address = device.allocate(Math.max(1, bytes));
    this.bytes.put(address, bytes);
    return address;
  }

  /** What is allocated on the device, in bytes. */
  long bytes() {
    return bytes.values().stream().mapToLong(Long::longValue).sum();
  }

  /** Size of one allocation, in bytes. */
  long bytes(long address) {
    return bytes.get(address);
  }

  /** Page-locked host memory. */
  MemorySegment pinned(long bytes) {
    MemorySegment segment = device.allocatePinned(bytes);
    pinned.add(segment);
    return segment;
  }

  void free(long address) {
    if (bytes.remove(address) != null) {
      device.free(address);
    }
  }

  /** Page-locked memory; what was sent from it has arrived when {@link #send} returns. */
  MemorySegment staging() {
    if (staging.byteSize() == 0) {
      staging = pinned(STAGING_BYTES);
    }
    return staging;
  }

  /** Sends the first bytes of the staging memory, and waits. */
  void send(long to, long bytes) {
    device.copyToDevice(to, staging().asSlice(0, bytes), stream);
    device.synchronize(stream);
  }

  /** A vector on the device, or 0 for none. */
  long vector(float[] values) {
    if (values == null) {
      return 0;
    }
    long address = allocate((long) values.length * Float.BYTES);
    int most = STAGING_BYTES / Float.BYTES;
    for (int done = 0; done < values.length; done += most) {
      int count = Math.min(most, values.length - done);
      MemorySegment.copy(values, done, staging(), JAVA_FLOAT, 0, count);
      send(address + (long) done * Float.BYTES, (long) count * Float.BYTES);
    }
    return address;
  }

  /**
   * Queues numbers of a step, which must fit into the staging memory. Nothing else may be staged
   * until the stream has passed this.
   */
  void queueInts(long to, int... values) {
    MemorySegment.copy(values, 0, staging(), JAVA_INT, 0, values.length);
    device.copyToDevice(to, staging().asSlice(0, (long) values.length * Integer.BYTES), stream);
  }

  /** Frees everything; a device that is lost has nothing to free. */
  @Override
  public void close() {
    try {
      bytes.keySet().forEach(device::free);
      pinned.forEach(device::freePinned);
    } catch (DeviceException e) {
      assert e.code() != 0 : e;
    }
    bytes.clear();
    pinned.clear();
  }
}
