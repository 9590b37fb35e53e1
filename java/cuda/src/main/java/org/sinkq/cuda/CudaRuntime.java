package org.sinkq.cuda;

import java.util.HashMap;
import java.util.Map;
import java.util.function.Supplier;

/**
 * An open device with the kernels compiled so far, shared by all backends of a process: compiling
 * takes longer than opening a backend.
 */
final class CudaRuntime {
  private final Supplier<CudaDevice> opener;
  private CudaDevice device;
  private LinkageError noDriver;
  private final Map<Integer, CudaKernels> kernels = new HashMap<>();

  CudaRuntime(Supplier<CudaDevice> opener) {
    this.opener = opener;
  }

  /**
   * The device, opened when first asked for; a missing driver stays missing, with the first reason.
   */
  synchronized CudaDevice device() {
    if (noDriver != null) {
      throw noDriver;
    }
    if (device == null) {
      try {
        device = opener.get();
      } catch (LinkageError e) {
        noDriver = e;
        throw e;
      }
    }
    return device;
  }

  synchronized CudaKernels kernels(int headDim) {
    CudaDevice open = device();
    return kernels.computeIfAbsent(headDim, d -> new CudaKernels(open, d));
  }

  /** Gives up a device that no longer works; the next backend opens it anew. */
  synchronized void drop(CudaDevice failed) {
    if (device == failed) {
      kernels.clear();
      device = null;
      failed.close();
    }
  }
}
