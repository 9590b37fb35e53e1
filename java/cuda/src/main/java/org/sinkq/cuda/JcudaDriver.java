package org.sinkq.cuda;

import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR;
import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR;
import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE;
import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN;
import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT;

import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.charset.StandardCharsets;
import jcuda.driver.CUdevice;
import jcuda.driver.JCudaDriver;
import org.sinkq.DeviceException;

/** What the driver says without a context, through JCuda, and its errors as exceptions. */
final class JcudaDriver implements CudaDriver {
  /** What the loader's messages call it, whatever follows. */
  static final String LIBRARY = "libcuda.so";

  private static final int NAME_BYTES = 256;

  @Override
  public int count() {
    requireLibrary();
    initialize();
    int[] count = new int[1];
    check(JCudaDriver.cuDeviceGetCount(count), "counting devices");
    return count[0];
  }

  @Override
  public CudaDevice.Facts facts(int ordinal) {
    requireLibrary();
    initialize();
    return facts(device(ordinal));
  }

  @Override
  public CudaDevice open(int ordinal) {
    requireLibrary();
    return new JcudaDevice(ordinal);
  }

  /**
   * Looks for the driver's library before JCuda unpacks its own, which takes longer than everything
   * else that a command does to start.
   */
  @SuppressWarnings("restricted")
  private static void requireLibrary() {
    if (!System.getProperty("os.name").equals("Linux")) {
      return;
    }
    try (Arena arena = Arena.ofConfined()) {
      SymbolLookup.libraryLookup(LIBRARY + ".1", arena);
    } catch (IllegalArgumentException e) {
      UnsatisfiedLinkError missing = new UnsatisfiedLinkError(LIBRARY + ".1: cannot be loaded");
      missing.initCause(e);
      throw missing;
    }
  }

  /** Loads the driver; errors are results from here on, not JCuda's own exceptions. */
  static void initialize() {
    JCudaDriver.setExceptionsEnabled(false);
    check(JCudaDriver.cuInit(0), "initializing the driver");
  }

  static CUdevice device(int ordinal) {
    CUdevice device = new CUdevice();
    check(JCudaDriver.cuDeviceGet(device, ordinal), "opening device %d", ordinal);
    return device;
  }

  static CudaDevice.Facts facts(CUdevice device) {
    byte[] name = new byte[NAME_BYTES];
    check(JCudaDriver.cuDeviceGetName(name, name.length, device), "reading the device's name");
    int length = 0;
    while (length < name.length && name[length] != 0) {
      length++;
    }
    int[] version = new int[1];
    check(JCudaDriver.cuDriverGetVersion(version), "reading the driver's version");
    return new CudaDevice.Facts(
        new String(name, 0, length, StandardCharsets.UTF_8),
        attribute(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
        attribute(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR),
        version[0],
        attribute(device, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
        attribute(device, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN),
        attribute(device, CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE));
  }

  private static int attribute(CUdevice device, int which) {
    int[] value = new int[1];
    check(JCudaDriver.cuDeviceGetAttribute(value, which, device), "reading attribute %d", which);
    return value[0];
  }

  static void check(int result, String action, Object... values) {
    if (result != 0) {
      throw error(result, action, values);
    }
  }

  static DeviceException error(int result, String action, Object... values) {
    String[] name = new String[1];
    JCudaDriver.cuGetErrorName(result, name);
    return CudaErrors.error(
        result, name[0] == null ? "CUDA_ERROR_UNKNOWN" : name[0], action, values);
  }
}
