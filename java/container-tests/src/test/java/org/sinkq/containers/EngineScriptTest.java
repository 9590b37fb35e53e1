package org.sinkq.containers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** docker/engine with stand-ins for everything it calls: what it says where no engine can run. */
final class EngineScriptTest {
  private static final int UNAVAILABLE = 69;
  private static final int BROKEN = 70;
  private static final String NO_ENGINE = "echo 'cannot connect' >&2; exit 1";

  @TempDir Path temp;
  private Path bin;
  private Path work;

  @BeforeEach
  void setUp() throws IOException {
    bin = Files.createDirectory(temp.resolve("bin"));
    work = Files.createDirectory(temp.resolve("work"));
    for (String name : List.of("cat", "find", "grep", "mktemp", "rm", "seq", "sleep", "tail")) {
      program(name, "PATH=/usr/bin:/bin exec " + name + " \"$@\"");
    }
    program("timeout", "shift; exec \"$@\"");
    program("setsid", "exec \"$@\"");
    program("setpriv", "shift 2; exec \"$@\"");
    program("unshare", "shift; PATH=" + bin + ":/usr/bin:/bin exec \"$@\"");
    program("id", "echo 0");
  }

  @Test
  void anEngineThatAnswersIsTaken() throws Exception {
    program("docker", "echo 99");
    Outcome run = engine("/bin/sh", "-c", "echo \"${SINKQ_ENGINE:-theirs}\"; exit 7");
    assertEquals(7, run.code());
    assertEquals("theirs\n", run.out());
    assertEquals("", run.err());
  }

  @Test
  void onlyRootStartsOne() throws Exception {
    program("id", "echo 1000");
    refused(
        UNAVAILABLE,
        "engine: no Docker Engine answers at unix:///nowhere, and only root can start one; start"
            + " Docker, set DOCKER_HOST, or run this as root\n");
  }

  @Test
  void noEngineAndNoWayToInstallOne() throws Exception {
    refused(
        UNAVAILABLE,
        "engine: no Docker Engine answers at unix:///nowhere, and dockerd is missing, with no"
            + " apt-get to install it; install Docker (docs.docker.com/engine/install)\n");
  }

  @Test
  void aKernelThatForbidsIt() throws Exception {
    program("docker", NO_ENGINE);
    program("unshare", "echo 'unshare: unshare failed: Operation not permitted' >&2; exit 1");
    program("dockerd", "exit 1");
    refused(
        UNAVAILABLE,
        "none can run here: unshare: unshare failed: Operation not permitted; run on a host with"
            + " Docker\n");
  }

  @Test
  void aDaemonThatMayNotRun() throws Exception {
    program("docker", NO_ENGINE);
    program("dockerd", "echo 'mount overlay: operation not permitted'; exit 1");
    refused(
        UNAVAILABLE,
        "dockerd may not run here (its last words above); run on a host with Docker\n");
  }

  @Test
  void aDaemonThatFailsIsAnError() throws Exception {
    program("docker", NO_ENGINE);
    program("dockerd", "echo 'no space left on device'; exit 1");
    refused(BROKEN, "engine: dockerd did not start, its last words above\n");
  }

  @Test
  void withoutACommandItShowsHowToUseIt() throws Exception {
    Outcome run = engine();
    assertEquals(64, run.code());
    assertEquals("usage: docker/engine COMMAND [ARG...]\n", run.err());
  }

  private void refused(int code, String message) throws Exception {
    Outcome run = engine("/bin/false");
    assertEquals(code, run.code(), run::toString);
    assertTrue(run.err().endsWith(message), run::toString);
    try (Stream<Path> left = Files.list(work)) {
      assertEquals(List.of(), left.toList());
    }
  }

  private Outcome engine(String... command) throws InterruptedException {
    Map<String, String> variables =
        Map.of(
            "PATH",
            bin.toString(),
            "TMPDIR",
            work.toString(),
            "DOCKER_HOST",
            "unix:///nowhere",
            "SINKQ_ENGINE",
            "");
    return Script.run(variables, "docker/engine", command);
  }

  private void program(String name, String body) throws IOException {
    Path file = bin.resolve(name);
    Files.writeString(file, "#!/bin/sh\n" + body + "\n");
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
  }
}
