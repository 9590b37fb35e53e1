package org.sinkq.cli.models;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** With scripts in the place of Python. */
final class PipDownloaderTest {
  private static final String WAY_OUT = ", or pass a model of your own with --model FILE.gguf";

  @TempDir Path temp;
  private Path into;

  @BeforeEach
  void setUp() throws IOException {
    into = Files.createDirectory(temp.resolve("into"));
  }

  @Test
  void theWheelThatPipLeavesIsReturned() throws IOException {
    Path python =
        script(
            """
            [ "$1 $2 $3" = "-m pip download" ] || exit 9
            [ "$TMPDIR" = "%s" ] || exit 8
            for last; do :; done
            echo "$last" > "$TMPDIR/tiny.whl"
            """
                .formatted(into));
    Path wheel = new PipDownloader(python.toString()).download("tiny==1", into, bytes -> {});
    assertEquals(into.resolve("tiny.whl"), wheel);
    assertEquals("tiny==1\n", Files.readString(wheel));
  }

  @Test
  void withoutPythonTheMessageSaysWhatToInstall() {
    String message = failure(temp.resolve("no-python").toString());
    assertTrue(
        message.startsWith(
            temp.resolve("no-python")
                + " cannot be started, expected Python 3 with pip to fetch tiny==1; install it"),
        message);
    assertTrue(message.endsWith(WAY_OUT), message);
  }

  @Test
  void withoutPipTheMessageSaysWhatToInstall() throws IOException {
    Path python = script("echo '/usr/bin/python3: No module named pip' >&2; exit 1");
    assertEquals(
        "cannot fetch tiny==1: this python3 has no pip; install it (Debian, Ubuntu: apt install"
            + " python3-pip; Fedora: dnf install python3-pip; elsewhere: python3 -m ensurepip)"
            + WAY_OUT,
        failure(python.toString()));
  }

  @Test
  void withoutNetworkTheMessageSaysWhatToCheck() throws IOException {
    Path python =
        script(
            """
            echo "WARNING: Retrying after connection broken by 'NewConnectionError(...)'"
            echo 'ERROR: No matching distribution found for tiny==1' >&2
            exit 1
            """);
    assertEquals(
        "cannot fetch tiny==1: the package index cannot be reached; check the network, and pip's"
            + " proxy and index settings (python3 -m pip config list)"
            + WAY_OUT,
        failure(python.toString()));
  }

  @Test
  void aFullDiskIsNamed() throws IOException {
    Path python =
        script("echo 'ERROR: Could not install: [Errno 28] No space left on device'; exit 1");
    assertEquals(
        "cannot fetch tiny==1: the disk is full; make room, or set SINKQ_CACHE to a folder on"
            + " another disk",
        failure(python.toString()));
  }

  @Test
  void otherwiseTheLastLineOfPipIsPassedOn() throws IOException {
    Path python = script("echo 'much'; echo 'ERROR: No matching distribution'; exit 1");
    assertEquals(
        "cannot fetch tiny==1: pip says: ERROR: No matching distribution; try 'python3 -m pip"
            + " download' by hand"
            + WAY_OUT,
        failure(python.toString()));
  }

  @Test
  void noWheelIsAFailure() throws IOException {
    assertEquals("pip left 0 wheels for tiny==1, expected 1", failure(script("").toString()));
  }

  private String failure(String python) {
    return assertThrows(
            ModelStoreException.class,
            () -> new PipDownloader(python).download("tiny==1", into, bytes -> {}))
        .getMessage();
  }

  private Path script(String body) throws IOException {
    Path file = Files.writeString(temp.resolve("python"), "#!/bin/sh\n" + body + "\n");
    assertTrue(file.toFile().setExecutable(true));
    return file;
  }
}
