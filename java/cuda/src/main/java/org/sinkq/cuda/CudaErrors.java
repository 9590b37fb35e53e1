package org.sinkq.cuda;

import java.util.Locale;
import org.sinkq.DeviceException;

/** Turns results of the driver into exceptions. */
final class CudaErrors {
  private CudaErrors() {}

  /**
   * An error with the driver's own name for it.
   *
   * @param code CUresult
   * @param name its name, such as {@code CUDA_ERROR_OUT_OF_MEMORY}
   * @param action what was being done, as a format
   */
  static DeviceException error(int code, String name, String action, Object... values) {
    return new DeviceException(code, name, String.format(Locale.ROOT, action, values), null);
  }
}
