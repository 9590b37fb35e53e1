package org.sinkq.cuda.ptx;

import org.sinkq.DeviceException;

/** The errors of the driver's interface that the interpreted device gives. */
final class DeviceErrors {
  private DeviceErrors() {}

  static DeviceException error(int code, String name, String message) {
    return new DeviceException(code, name, message, null);
  }

  static DeviceException invalidValue(String message) {
    return error(1, "CUDA_ERROR_INVALID_VALUE", message);
  }

  /** What a launch that the sanitizer ended leaves behind. */
  static DeviceException of(KernelFault fault) {
    return switch (fault.kind) {
      case ADDRESS -> failed(700, "CUDA_ERROR_ILLEGAL_ADDRESS", fault);
      case MISALIGNED -> failed(716, "CUDA_ERROR_MISALIGNED_ADDRESS", fault);
      default -> failed(719, "CUDA_ERROR_LAUNCH_FAILED", fault);
    };
  }

  private static DeviceException failed(int code, String name, KernelFault fault) {
    return new DeviceException(code, name, fault.getMessage(), fault);
  }

  /** A sticky error once more, for a later call. */
  static DeviceException again(DeviceException failure) {
    String message = failure.getMessage();
    return new DeviceException(
        failure.code(), failure.codeName(), message.substring(message.indexOf(": ") + 2), failure);
  }
}
