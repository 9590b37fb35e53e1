package org.sinkq.containers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.github.dockerjava.api.exception.NotFoundException;
import com.github.dockerjava.api.model.Container;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** docker/build where it cannot succeed: what it says, and that nothing stays. */
@Tag("docker")
final class BuildScriptTest {
  private static final String TAG = "sinkq-test:unfinished";
  private static final String BASE = "sinkq-test:unfit-base";

  @TempDir Path temp;
  private Set<String> containers;

  @BeforeEach
  void remember() {
    containers = containers();
  }

  @AfterEach
  void removeTheBase() throws InterruptedException, IOException {
    docker("image rm --force " + BASE + " || true");
  }

  @Test
  void aBaseThatIsMissing() throws InterruptedException {
    Outcome build = build("nowhere.invalid/none:1");
    build.refused(
        "build: base image nowhere.invalid/none:1 is not here and cannot be pulled; name one that is"
            + " (--base IMAGE), or make one from this host's packages: docker/base");
    nothingStays();
  }

  @Test
  void aBaseThatCannotRunTheBuild() throws InterruptedException, IOException {
    Files.writeString(temp.resolve("nothing"), "");
    docker("import - " + BASE + " < <(tar -C " + temp + " -c nothing) > /dev/null");
    build(BASE).refused("build: the image build over " + BASE + " failed, see above; " + TAG);
    nothingStays();
  }

  @Test
  void anInterruptedBuild() throws InterruptedException, IOException {
    Files.writeString(
        temp.resolve("Dockerfile"),
        """
        FROM %s
        RUN printf '#!/bin/sh\\nsleep 600\\n' > /usr/local/bin/ln && chmod +x /usr/local/bin/ln
        """
            .formatted(TestSettings.baseImage()));
    docker("build --quiet --tag " + BASE + " " + temp + " > /dev/null 2>&1");
    Script build = start(BASE);
    Thread.sleep(6000);
    assertTrue(build.running(), "done before it could be interrupted");
    build.terminate();
    assertEquals(143, build.end().code());
    nothingStays();
  }

  @Test
  void noEngine() throws InterruptedException {
    Outcome build =
        Script.run(Map.of("DOCKER_HOST", "unix:///nowhere"), "docker/build", "cpu", "--tag", TAG);
    build.refused(
        "build: no Docker Engine answers at unix:///nowhere; start it, set DOCKER_HOST, or run this"
            + " through docker/engine");
  }

  @Test
  void noSuchImage() throws InterruptedException {
    Script.run(Map.of(), "docker/build", "tpu").refused("build: kind=tpu, expected cpu or cuda");
  }

  @Tag("no-gpu")
  @Test
  void noGpuRuntime() throws InterruptedException {
    Outcome check = Script.run(Map.of(), "docker/gpu-check", TestSettings.image());
    assertEquals(69, check.code());
    assertTrue(
        check.err().startsWith("gpu-check: the engine hands no GPU to containers: ")
            && check.err().contains("install nvidia-container-toolkit"),
        check::toString);
    assertEquals(containers, containers());
  }

  private static Script start(String base) {
    return Script.start(
        Map.of(),
        "docker/build",
        "cpu",
        "--base",
        base,
        "--tag",
        TAG,
        "--distribution",
        TestSettings.distribution().toString());
  }

  private static Outcome build(String base) throws InterruptedException {
    return start(base).end();
  }

  private void nothingStays() throws InterruptedException {
    assertThrows(
        NotFoundException.class, () -> SinkqContainer.client().inspectImageCmd(TAG).exec());
    assertEquals(
        List.of(),
        SinkqContainer.client()
            .listImagesCmd()
            .withDanglingFilter(true)
            .withLabelFilter(Map.of("org.sinkq.image", "cpu"))
            .exec());
    // The engine takes a moment to end the container of a build whose client is gone.
    for (int i = 0; i < 100 && !containers.equals(containers()); i++) {
      Thread.sleep(100);
    }
    assertEquals(containers, containers());
  }

  private static Set<String> containers() {
    return SinkqContainer.client().listContainersCmd().withShowAll(true).exec().stream()
        .map(Container::getId)
        .collect(Collectors.toSet());
  }

  private static void docker(String arguments) throws InterruptedException, IOException {
    Process process = new ProcessBuilder("bash", "-c", "docker " + arguments).inheritIO().start();
    assertEquals(0, process.waitFor(), "docker " + arguments);
  }
}
