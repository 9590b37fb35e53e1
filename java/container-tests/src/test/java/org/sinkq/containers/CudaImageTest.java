package org.sinkq.containers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.github.dockerjava.api.model.ContainerConfig;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The CUDA image as far as it goes without a GPU. */
@Tag("docker")
final class CudaImageTest {
  @Test
  void itAsksForGpusAndRunsWithoutRights() {
    ContainerConfig config =
        SinkqContainer.client().inspectImageCmd(TestSettings.cudaImage()).exec().getConfig();
    assertEquals("10001:10001", config.getUser());
    List<String> variables = List.of(config.getEnv());
    assertTrue(variables.contains("NVIDIA_VISIBLE_DEVICES=all"), variables::toString);
    assertTrue(
        variables.contains("NVIDIA_DRIVER_CAPABILITIES=compute,utility"), variables::toString);
    assertEquals("Apache-2.0", config.getLabels().get("org.opencontainers.image.licenses"));
    assertEquals(List.of("CMD", "sinkq", "doctor"), config.getHealthcheck().getTest());
  }

  @Tag("no-gpu")
  @Test
  void withoutAGpuTheCpuEngineRunsAndTheOtherOneSaysWhy() {
    Outcome doctor = SinkqContainer.ofCuda("doctor", "--json").run().succeeded();
    assertTrue(doctor.out().contains("{\"name\":\"cpu\",\"available\":true,"), doctor.out());
    assertTrue(
        doctor
            .out()
            .matches(
                "(?s).*\\{\"name\":\"cuda\",\"available\":false,\"description\":\"[^\"]*\","
                    + "\"reason\":\"[^\"]+\",\"remedy\":\"[^\"]+\"}.*"),
        doctor.out());
  }

  @Tag("no-gpu")
  @Test
  void withoutAGpuTheDeviceTestsFail() {
    Outcome check = SinkqContainer.ofCuda().program("/opt/sinkq/sinkq-gpu/check").run();
    assertTrue(check.code() != 0, check::toString);
    assertTrue(check.out().contains("available=false"), check::toString);
  }
}
