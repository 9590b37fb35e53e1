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
  private final Map<Integer, CudaKernels> kernels = new HashMap<>();

  CudaRuntime(Supplier<CudaDevice> opener) {
    this.opener = opener;
  }

  synchronized CudaDevice device() {
    if (device == null) {
      device = opener.get();
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
