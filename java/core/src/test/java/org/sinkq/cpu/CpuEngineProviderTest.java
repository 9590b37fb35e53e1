package org.sinkq.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.sinkq.EngineStatus;

/** Which kernels run, and what the probe says about it. */
class CpuEngineProviderTest {
  private final CpuEngineProvider provider = new CpuEngineProvider();

  @Test
  void probeTellsTheKernelsAndWhyTheyAreNotFaster() {
    EngineStatus status = provider.probe();
    assertTrue(status.available());
    assertEquals("cpu", status.name());
    if (TestSimd.isOff()) {
      assertEquals(
          new EngineStatus(
              "cpu", true, "scalar", "vector kernels are switched off", "remove -Dsinkq.simd=off"),
          status);
    } else {
      assertTrue(status.description().matches("Vector API, \\d+ bits"), status.toString());
      assertEquals("", status.reason() + status.remedy());
    }
  }

  @Test
  void theKernelsAreThoseThatTheProbeNames() {
    assertEquals(provider.probe().description(), CpuEngineProvider.kernels().description());
    assertEquals(TestSimd.isOff(), CpuEngineProvider.kernels() instanceof ScalarKernels);
  }
}
