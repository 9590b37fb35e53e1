package org.sinkq;

/** The device or the memory behind an engine failed. */
public final class DeviceException extends SinkQException {
  private static final long serialVersionUID = 1L;

  private final int code;
  private final String codeName;

  /**
   * Creates the error.
   *
   * @param code number of the device interface's error, 0 where it has none
   * @param codeName its name, such as {@code CUDA_ERROR_OUT_OF_MEMORY}
   * @param message what was being done, with the sizes at hand
   */
  public DeviceException(int code, String codeName, String message, Throwable cause) {
    super(codeName + (code == 0 ? "" : " (" + code + ")") + ": " + message, cause);
    this.code = code;
    this.codeName = codeName;
  }

  /** Number of the device interface's error, 0 where it has none. */
  public int code() {
    return code;
  }

  /** Name of the device interface's error. */
  public String codeName() {
    return codeName;
  }
}
