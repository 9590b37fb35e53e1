package org.sinkq.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.sinkq.AttentionBackends;
import org.sinkq.DeviceException;
import org.sinkq.EngineStatus;
import org.sinkq.InvalidArgumentException;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.ModelShape;
import org.sinkq.SinkPolicy;
import org.sinkq.engine.CacheMemory;
import org.sinkq.layout.CacheGeometry;

/** What the probe says, without a device. */
class CudaEngineProviderTest {
  private static CudaDevice.Facts facts(int major, int minor, int driver) {
    return new CudaDevice.Facts("GPU", major, minor, driver, 100, 200_000, 50_000_000);
  }

  private static CudaEngineProvider provider(Supplier<CudaDevice> opener) {
    return new CudaEngineProvider(new OneDevice(opener));
  }

  @Test
  void aDeviceThatCanRunIsAvailable() {
    EngineStatus status = CudaEngineProvider.judge(facts(9, 0, 13000), "9.0");
    assertTrue(status.available());
    assertEquals("GPU, compute capability 9.0, driver for CUDA 13.0", status.description());
  }

  @Test
  void anOldDriverIsNamed() {
    EngineStatus status = CudaEngineProvider.judge(facts(9, 0, 12060), "9.0");
    assertFalse(status.available());
    assertEquals(
        "driver too old for PTX 9.0: GPU, compute capability 9.0, driver for CUDA 12.6",
        status.reason());
    assertEquals("install a driver for CUDA 13.0 or later", status.remedy());
    assertTrue(CudaEngineProvider.judge(facts(8, 6, 12060), "8.5").available());
  }

  @Test
  void aSmallCapabilityIsNamed() {
    EngineStatus status = CudaEngineProvider.judge(facts(7, 5, 13000), "9.0");
    assertFalse(status.available());
    assertEquals(
        "compute capability too low: GPU, compute capability 7.5, driver for CUDA 13.0",
        status.reason());
  }

  @Test
  void driverErrorsAndMissingLibrariesAreReasons() {
    EngineStatus noDevice =
        provider(
                () -> {
                  throw CudaErrors.error(100, "CUDA_ERROR_NO_DEVICE", "initializing the driver");
                })
            .probe();
    assertFalse(noDevice.available());
    assertEquals("CUDA_ERROR_NO_DEVICE (100): initializing the driver", noDevice.reason());
    EngineStatus noDriver =
        provider(
                () -> {
                  throw new UnsatisfiedLinkError("libcuda.so.1: cannot open\nmore");
                })
            .probe();
    assertFalse(noDriver.available());
    assertEquals("no CUDA driver: libcuda.so.1: cannot open", noDriver.reason());
  }

  @Test
  void theProbeOfThisMachineDoesNotThrow() {
    EngineStatus status = new CudaEngineProvider().probe();
    assertEquals("cuda", status.name());
    assertTrue(status.available() || !status.reason().isEmpty(), status.toString());
    assertTrue(AttentionBackends.probe().contains(status), "cuda is a registered engine");
  }

  @Test
  void whatTheKernelsLackIsRefused() {
    refuse(
        "codec of layer 1=FP32, expected FP16, INT4, INT2 or INT2_ADAPTIVE for the cuda engine",
        KvCacheSpec.builder().codec(1, KvCodec.FP32));
    refuse(
        "pageTokens=64 with codec INT2_ADAPTIVE, expected 128 for the cuda engine",
        KvCacheSpec.builder().codec(KvCodec.INT2_ADAPTIVE).pageTokens(64));
    refuse(
        "valueGroup=32, expected 128 (the default) for the cuda engine",
        KvCacheSpec.builder().valueGroup(32));
    refuse(
        "selection of sinks=FIRST_TOKENS, expected SMALLEST_KEYS or MOST_ATTENDED for the cuda engine",
        KvCacheSpec.builder().sinks(SinkPolicy.first(4)).firstSinkLayer(0));
  }

  private static void refuse(String message, KvCacheSpec.Builder spec) {
    CacheGeometry geometry =
        new CacheGeometry(ModelShape.of(2, 4, 2, 64), spec.capacityTokens(1000).build());
    InvalidArgumentException e =
        assertThrows(
            InvalidArgumentException.class, () -> new CudaEngineProvider().footprint(geometry));
    assertEquals(message, e.getMessage());
  }

  @Test
  void aDeviceThatFailsToOpenLeavesNoEngine() {
    CudaEngineProvider provider =
        provider(
            () -> {
              throw CudaErrors.error(2, "CUDA_ERROR_OUT_OF_MEMORY", "creating a context");
            });
    DeviceException e =
        assertThrows(
            DeviceException.class, () -> provider.open(new CacheMemory(null, 1, 1, null), 1));
    assertEquals(2, e.code());
    assertEquals("CUDA_ERROR_OUT_OF_MEMORY", e.codeName());
  }
}
