package org.sinkq.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.BackendConfig;
import org.sinkq.DeviceException;
import org.sinkq.EngineAccess;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.TensorView;
import org.sinkq.cuda.ptx.InterpretedDevice;

/** Devices that fail: with a typed error, for good, and without a trace in the next backend. */
class DeviceFailureTest {
  private static final ModelShape SHAPE = ModelShape.of(2, 2, 1, 64);
  private static final CudaDevice.Facts FACTS =
      new CudaDevice.Facts("PTX interpreter", 8, 0, 13000, 2, 160 << 10, 1 << 20);

  private int launches;
  private int failingLaunch = Integer.MAX_VALUE;
  private boolean failed;
  private final List<CudaDevice> opened = new ArrayList<>();

  /** A device that is lost at one of its launches: from then on every call but close fails. */
  private CudaDevice open() {
    CudaDevice device = new InterpretedDevice(FACTS, 64 << 20, 3);
    failed = false;
    CudaDevice lossy =
        (CudaDevice)
            Proxy.newProxyInstance(
                CudaDevice.class.getClassLoader(),
                new Class<?>[] {CudaDevice.class},
                (proxy, method, args) -> {
                  boolean launch =
                      method.getName().equals("launch") && args[0] instanceof CudaDevice.Launch;
                  failed |= launch && ++launches == failingLaunch;
                  if (failed && !method.getName().equals("close")) {
                    throw CudaErrors.error(700, "CUDA_ERROR_ILLEGAL_ADDRESS", "launching a kernel");
                  }
                  try {
                    return method.invoke(device, args);
                  } catch (InvocationTargetException e) {
                    throw e.getCause();
                  }
                });
    opened.add(lossy);
    return lossy;
  }

  private static BackendConfig config() {
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .pageTokens(32)
            .windowTokens(4)
            .firstSinkLayer(1)
            .capacityTokens(128)
            .build();
    return BackendConfig.of(SHAPE, spec);
  }

  private static void step(AttentionBackend backend, KvSequence sequence, int rows) {
    float[] q = new float[rows * 2 * 64];
    float[] k = new float[rows * 64];
    try (AttentionPlan plan = backend.plan(AttentionMetadata.single(sequence, rows))) {
      for (int layer = 0; layer < 2; layer++) {
        plan.run(
            layer,
            TensorView.of(q, rows, 2, 64),
            TensorView.of(k, rows, 1, 64),
            TensorView.of(k, rows, 1, 64),
            TensorView.of(q.clone(), rows, 2, 64));
      }
      plan.commit();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5, 7, 9, 10, 11})
  void aLostDeviceIsATypedErrorAndTheNextBackendWorks(int launch) {
    CudaEngineProvider provider = new CudaEngineProvider(new OneDevice(this::open));
    failingLaunch = launch;
    try (AttentionBackend backend = EngineAccess.open(config(), provider)) {
      KvSequence sequence = backend.newSequence();
      DeviceException first =
          assertThrows(DeviceException.class, () -> step(backend, sequence, 80));
      assertEquals("CUDA_ERROR_ILLEGAL_ADDRESS", first.codeName());
      assertEquals(700, first.code());
      int before = launches;
      DeviceException second =
          assertThrows(DeviceException.class, () -> step(backend, sequence, 1));
      assertSame(first, second);
      assertEquals(before, launches, "launches after the device was lost");
      assertEquals(0, backend.stats().pages());
    }
    failingLaunch = Integer.MAX_VALUE;
    try (AttentionBackend backend = EngineAccess.open(config(), provider)) {
      KvSequence sequence = backend.newSequence();
      step(backend, sequence, 80);
      step(backend, sequence, 1);
      assertEquals(81, sequence.length());
    }
    assertEquals(2, opened.size());
  }

  @Test
  void aLostDeviceLeavesTheOtherOneBe() {
    CudaDriver machine =
        new CudaDriver() {
          @Override
          public int count() {
            return 2;
          }

          @Override
          public CudaDevice.Facts facts(int ordinal) {
            return FACTS;
          }

          @Override
          public CudaDevice open(int ordinal) {
            return ordinal == 0
                ? DeviceFailureTest.this.open()
                : new InterpretedDevice(FACTS, 64 << 20, 3, ordinal);
          }
        };
    CudaEngineProvider provider = new CudaEngineProvider(machine);
    try (AttentionBackend lost = EngineAccess.open(config().withDevice(0), provider);
        AttentionBackend other = EngineAccess.open(config().withDevice(1), provider)) {
      KvSequence sequence = other.newSequence();
      step(other, sequence, 80);
      failingLaunch = 1;
      KvSequence gone = lost.newSequence();
      assertThrows(DeviceException.class, () -> step(lost, gone, 80));
      step(other, sequence, 1);
      assertEquals(81, sequence.length());
      failingLaunch = Integer.MAX_VALUE;
      try (AttentionBackend again = EngineAccess.open(config().withDevice(0), provider)) {
        step(again, again.newSequence(), 80);
      }
    }
  }

  @Test
  void tooLittleMemoryNamesTheBytesAndLeavesNothingBehind() {
    CudaDevice device = new InterpretedDevice(FACTS, 1 << 20, 3);
    CudaEngineProvider provider = new CudaEngineProvider(new OneDevice(() -> device));
    KvCacheSpec spec = KvCacheSpec.builder().capacityTokens(100_000).build();
    EngineAccess.open(config(), provider).close();
    long free = device.memory().freeBytes();
    DeviceException e =
        assertThrows(
            DeviceException.class,
            () -> EngineAccess.open(BackendConfig.of(SHAPE, spec), provider));
    assertEquals("CUDA_ERROR_OUT_OF_MEMORY", e.codeName());
    String message = e.getMessage();
    assertTrue(message.matches(".*allocating \\d+ bytes, free=\\d+, total=1048576"), message);
    assertEquals(free, device.memory().freeBytes());
    EngineAccess.open(config(), provider).close();
  }
}
