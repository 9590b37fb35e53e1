package org.sinkq.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.sinkq.DeviceException;

/**
 * Finds and loads cuBLAS, so that JCublas, which asks for {@code libcublas.so.12}, finds it loaded.
 *
 * <pre>
 *   libcublas.so.12                      loaded as it is
 *   libcublas.so.13 alone                loaded, and in front of it libcublas.so.12 of this jar,
 *                                        which passes the few functions in use on to it
 * </pre>
 */
final class CublasLibrary {
  /** A folder to look in first. */
  private static final String FOLDER_PROPERTY = "sinkq.cublas";

  /** Made by native-build/build-kernels where there is a C compiler. */
  private static final String FORWARDER = "libcublas-forward.so";

  private static final int WANTED = 12;
  private static final int FORWARDED = 13;

  /** Folders of libraries below a root, and of Python packages below a folder of libraries. */
  private static final List<String> BELOW_TOOLKIT = List.of("lib64", "targets/x86_64-linux/lib");

  private static final List<String> BELOW_PACKAGES =
      List.of("nvidia/cublas/lib", "nvidia/cu12/lib", "nvidia/cu13/lib");

  /**
   * A library that was found.
   *
   * @param major version
   * @param folder that it and its companion lie in
   */
  record Found(int major, Path folder) {
    Path cublas() {
      return folder.resolve("libcublas.so." + major);
    }

    Path companion() {
      return folder.resolve("libcublasLt.so." + major);
    }
  }

  private CublasLibrary() {}

  /**
   * Loads it.
   *
   * @throws DeviceException if it is missing, saying where it was looked for and what to do
   */
  @SuppressWarnings("restricted") // JCublas needs the libraries loaded, by path.
  static void load() {
    Set<Path> folders = folders(System::getenv, System.getProperty(FOLDER_PROPERTY), Path.of("/"));
    Found found =
        find(folders)
            .orElseThrow(
                () ->
                    missing(
                        "neither libcublas.so.12 nor libcublas.so.13 with its libcublasLt is in any of "
                            + folders
                            + "; install the CUDA toolkit or 'pip install nvidia-cublas-cu12', or"
                            + " name the folder with -D"
                            + FOLDER_PROPERTY));
    try {
      System.load(found.companion().toString());
      System.load(found.cublas().toString());
      if (found.major == FORWARDED) {
        System.load(forwarder(found).toString());
      }
    } catch (UnsatisfiedLinkError e) {
      throw missing(found.cublas() + " cannot be loaded: " + e.getMessage());
    }
  }

  private static DeviceException missing(String message) {
    return new DeviceException(0, "NO_CUBLAS", message, null);
  }

  /** The best of what lies in some folders: version 12 before 13, earlier folders before later. */
  static Optional<Found> find(Set<Path> folders) {
    return Stream.of(WANTED, FORWARDED)
        .flatMap(major -> folders.stream().map(folder -> new Found(major, folder)))
        .filter(f -> Files.exists(f.cublas()) && Files.exists(f.companion()))
        .findFirst();
  }

  /**
   * Where cuBLAS may be, the preferred places first.
   *
   * @param environment variables by name
   * @param chosen a folder that the user named, or null
   * @param root of the file system
   */
  static Set<Path> folders(UnaryOperator<String> environment, String chosen, Path root) {
    Set<Path> folders = new LinkedHashSet<>();
    if (chosen != null) {
      folders.add(Path.of(chosen));
    }
    String path = environment.apply("LD_LIBRARY_PATH");
    if (path != null) {
      Stream.of(path.split(":", -1)).filter(p -> !p.isEmpty()).map(Path::of).forEach(folders::add);
    }
    List<Path> toolkits = new ArrayList<>();
    for (String variable : List.of("CUDA_HOME", "CUDA_PATH")) {
      if (environment.apply(variable) != null) {
        toolkits.add(Path.of(environment.apply(variable)));
      }
    }
    toolkits.addAll(matching(root.resolve("usr/local"), "cuda*"));
    toolkits.forEach(t -> BELOW_TOOLKIT.forEach(below -> folders.add(t.resolve(below))));
    folders.add(root.resolve("usr/lib/x86_64-linux-gnu"));
    folders.add(root.resolve("usr/lib64"));
    List<Path> pythons = new ArrayList<>();
    for (String variable : List.of("VIRTUAL_ENV", "CONDA_PREFIX")) {
      if (environment.apply(variable) != null) {
        pythons.add(Path.of(environment.apply(variable)));
      }
    }
    // An environment is where its python3 is, activated or not.
    String programs = environment.apply("PATH");
    if (programs != null) {
      Stream.of(programs.split(":", -1))
          .filter(p -> !p.isEmpty())
          .map(Path::of)
          .filter(p -> p.getParent() != null && Files.exists(p.resolve("python3")))
          .forEach(p -> pythons.add(p.getParent()));
    }
    if (environment.apply("HOME") != null) {
      pythons.add(Path.of(environment.apply("HOME")).resolve(".local"));
    }
    for (String prefix : List.of("usr/local", "usr", "opt/conda", "opt/venv")) {
      pythons.add(root.resolve(prefix));
    }
    for (Path python : pythons) {
      for (Path library : matching(python.resolve("lib"), "python3*")) {
        for (String packages : List.of("site-packages", "dist-packages")) {
          Path at = library.resolve(packages);
          if (Files.isDirectory(at)) {
            BELOW_PACKAGES.forEach(below -> folders.add(at.resolve(below)));
          }
        }
      }
    }
    return folders;
  }

  /** Entries of a folder, newest version first as far as names tell. */
  private static List<Path> matching(Path folder, String glob) {
    List<Path> found = new ArrayList<>();
    if (Files.isDirectory(folder)) {
      try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder, glob)) {
        entries.forEach(found::add);
      } catch (IOException e) {
        return found; // A folder that cannot be read holds nothing for us.
      }
    }
    found.sort(Comparator.reverseOrder());
    return found;
  }

  private static Path forwarder(Found found) {
    try (InputStream in = CublasLibrary.class.getResourceAsStream(FORWARDER)) {
      if (in == null) {
        throw missing(
            found.cublas()
                + " is there, but no libcublas.so.12, and this build has nothing to put in its"
                + " place because it was made without a C compiler; install gcc and build again, or"
                + " 'pip install nvidia-cublas-cu12'");
      }
      Path folder = Files.createTempDirectory("sinkq-cublas");
      Path file = folder.resolve("libcublas.so.12");
      Files.copy(in, file);
      file.toFile().deleteOnExit();
      folder.toFile().deleteOnExit();
      return file;
    } catch (IOException e) {
      throw missing("no room for a copy of " + FORWARDER + ": " + e.getMessage());
    }
  }
}
