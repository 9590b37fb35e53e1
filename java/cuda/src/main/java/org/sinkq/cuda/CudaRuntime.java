package org.sinkq.cuda;

import static org.sinkq.InvalidArgumentException.require;

import java.util.HashMap;
import java.util.Map;

/**
 * The open devices of a process with the kernels compiled for each so far, shared by all its
 * backends: compiling takes longer than opening a backend.
 */
final class CudaRuntime {
  /** An open device. */
  private record Open(CudaDevice device, Map<Integer, CudaKernels> kernels) {}

  private final CudaDriver driver;
  private final Map<Integer, Open> devices = new HashMap<>();
  private LinkageError noDriver;

  CudaRuntime(CudaDriver driver) {
    this.driver = driver;
  }

  /** Number of devices. */
  synchronized int count() {
    requireDriver();
    return driver.count();
  }

  /** What a device is; those that are not open stay so. */
  synchronized CudaDevice.Facts facts(int ordinal) {
    Open open = devices.get(ordinal);
    return open == null ? driver.facts(ordinal) : open.device.facts();
  }

  /**
   * A device, opened when first asked for; a missing driver stays missing, with the first reason.
   *
   * @throws org.sinkq.InvalidArgumentException if there is none of that number
   */
  CudaDevice device(int ordinal) {
    return open(ordinal).device;
  }

  private void requireDriver() {
    if (noDriver != null) {
      throw noDriver;
    }
  }

  private synchronized Open open(int ordinal) {
    requireDriver();
    Open open = devices.get(ordinal);
    if (open == null) {
      try {
        int count = driver.count();
        require(
            ordinal >= 0 && ordinal < count,
            "device=%d, expected 0 to %d, CUDA devices here: %d",
            ordinal,
            count - 1,
            count);
        open = new Open(driver.open(ordinal), new HashMap<>());
      } catch (LinkageError e) {
        noDriver = e;
        throw e;
      }
      devices.put(ordinal, open);
    }
    return open;
  }

  synchronized CudaKernels kernels(int ordinal, int headDim) {
    Open open = open(ordinal);
    return open.kernels.computeIfAbsent(headDim, d -> new CudaKernels(open.device, d));
  }

  /** Gives up a device that no longer works; the next backend opens it anew. */
  synchronized void drop(CudaDevice failed) {
    if (devices.values().removeIf(open -> open.device == failed)) {
      failed.close();
    }
  }
}
