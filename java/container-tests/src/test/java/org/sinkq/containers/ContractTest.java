package org.sinkq.containers;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The engine contract inside a container: the tests of java/core, mounted read-only, on the jars
 * and the Java of the image.
 */
@Tag("docker")
final class ContractTest {
  @Test
  void theCpuEngineKeepsIt() {
    SinkqContainer container = container("org.sinkq.cpu.CpuContractTest").memoryMib(1024);
    Outcome run = container.run().succeeded();
    assertTrue(run.lastLine().matches("succeeded=\\d{2,} failed=0"), run::toString);
  }

  @Test
  void aClassThatIsNotThereFails() {
    Outcome run = container("org.sinkq.cpu.NoSuchTest").run();
    assertTrue(run.code() != 0, run::toString);
  }

  /** With what this test's own class path has of tests and their runner, and the image's SinkQ. */
  private static SinkqContainer container(String testClass) {
    List<String> classPath = new ArrayList<>(List.of("/opt/sinkq/lib/*"));
    List<Path> mounted = new ArrayList<>();
    String own = System.getProperty("java.class.path");
    for (String entry : own.split(File.pathSeparator, -1)) {
      Path path = Path.of(entry);
      if (path.toFile().exists() && isForTests(path)) {
        classPath.add("/tests/" + mounted.size() + "/" + path.getFileName());
        mounted.add(path);
      }
    }
    SinkqContainer container =
        SinkqContainer.of(
                "--add-modules=jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                String.join(":", classPath),
                ContractRun.class.getName(),
                testClass)
            .program("/opt/sinkq/jre/bin/java");
    for (int i = 0; i < mounted.size(); i++) {
      Path path = mounted.get(i);
      container.readOnly(path, "/tests/" + i + "/" + path.getFileName());
    }
    return container;
  }

  private static boolean isForTests(Path path) {
    String name = path.toString();
    return name.endsWith("test-classes")
        || name.matches(".*/sinkq-core-[^/]*-tests\\.jar")
        || name.matches(".*/(junit|opentest4j|apiguardian|jqwik)[^/]*\\.jar");
  }
}
