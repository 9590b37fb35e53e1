package org.sinkq.containers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The CUDA image on a GPU, which the engine hands over through its device request API. */
@Tag("docker")
@Tag("gpu")
final class GpuTest {
  private static final int MEMORY_MIB = 8 << 10;

  @Test
  void doctorFindsTheCudaEngine() {
    Outcome doctor = container("doctor", "--json").run().succeeded();
    assertTrue(doctor.out().contains("{\"name\":\"cuda\",\"available\":true,"), doctor.out());
  }

  @Test
  void theDeviceTestsPass() {
    container().program("/opt/sinkq/sinkq-gpu/check").run().succeeded();
  }

  @Test
  void theBenchmarksKeepTheirLimits() {
    Outcome bench = container().program("/opt/sinkq/sinkq-gpu/bench").run().succeeded();
    Map<String, Double> limits = BenchLimits.committed();
    assertEquals(List.of(), BenchLimits.violations(limits, bench.out()), bench.out());
  }

  private static SinkqContainer container(String... command) {
    return SinkqContainer.ofCuda(command).gpu().memoryMib(MEMORY_MIB);
  }
}
