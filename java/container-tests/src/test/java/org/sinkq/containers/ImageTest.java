package org.sinkq.containers;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.github.dockerjava.api.model.ContainerConfig;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What the CPU image is, and what its commands find inside. */
@Tag("docker")
final class ImageTest {
  private static final long MOST_BYTES_OVER_BASE = 200_000_000;

  @Test
  void itIsSmall() {
    long over = size(TestSettings.image()) - size(TestSettings.baseImage());
    assertTrue(over > 0 && over < MOST_BYTES_OVER_BASE, () -> over + " bytes over its base");
  }

  @Test
  void labelsUserAndHealthCheck() {
    ContainerConfig config =
        SinkqContainer.client().inspectImageCmd(TestSettings.image()).exec().getConfig();
    Map<String, String> labels = config.getLabels();
    assertEquals("Apache-2.0", labels.get("org.opencontainers.image.licenses"));
    assertTrue(labels.get("org.opencontainers.image.version").matches("\\d+\\.\\d+\\.\\d+.*"));
    assertTrue(labels.containsKey("org.opencontainers.image.revision"));
    assertEquals("10001:10001", config.getUser());
    assertArrayEquals(new String[] {"sinkq"}, config.getEntrypoint());
    assertEquals(java.util.List.of("CMD", "sinkq", "doctor"), config.getHealthcheck().getTest());
  }

  @Test
  void doctorFindsTheCpuEngine() {
    Outcome doctor = SinkqContainer.of("doctor", "--json").run().succeeded();
    assertTrue(
        doctor.out().contains("{\"name\":\"cpu\",\"available\":true,\"description\":\"Vector API"),
        doctor.out());
    assertTrue(doctor.out().contains("\"javaHome\":\"/opt/sinkq/jre\""), doctor.out());
    assertEquals("", doctor.err());
  }

  @Test
  void withoutACommandItShowsHelp() {
    SinkqContainer container = SinkqContainer.of();
    assertTrue(container.run().succeeded().out().contains("generate"));
  }

  @Test
  void itRunsWithoutRightsAndAsAnyUser() {
    Outcome own = SinkqContainer.of("-u").program("id").run().succeeded();
    assertEquals("10001", own.out().strip());
    Outcome other = SinkqContainer.of("doctor").user("12345:54321").run().succeeded();
    assertTrue(other.out().contains("engine      cpu runs"), other.out());
  }

  @Test
  void theRootFileSystemIsReadOnly() {
    Outcome touch = SinkqContainer.of("/opt/sinkq/new").program("touch").user("0").run();
    touch.refused("Read-only file system");
  }

  private static long size(String image) {
    return SinkqContainer.client().inspectImageCmd(image).exec().getSize();
  }
}
