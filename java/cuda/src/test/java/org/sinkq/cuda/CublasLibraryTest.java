package org.sinkq.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where cuBLAS is looked for, in a file system of its own. */
class CublasLibraryTest {
  @TempDir Path root;

  private Path library(String folder, int version) throws IOException {
    Path at = Files.createDirectories(root.resolve(folder));
    Files.writeString(at.resolve("libcublas.so." + version), "");
    Files.writeString(at.resolve("libcublasLt.so." + version), "");
    return at;
  }

  private Optional<CublasLibrary.Found> find(Map<String, String> environment, Path chosen) {
    String folder = chosen == null ? null : chosen.toString();
    return CublasLibrary.find(CublasLibrary.folders(environment::get, folder, root));
  }

  @Test
  void aChosenFolderWinsThenThePathThenToolkitsThenPythonPackages() throws IOException {
    assertEquals(Optional.empty(), find(Map.of(), null));
    Path python = library("usr/local/lib/python3.12/dist-packages/nvidia/cublas/lib", 12);
    assertEquals(new CublasLibrary.Found(12, python), find(Map.of(), null).orElseThrow());
    Path toolkit = library("usr/local/cuda-12.6/lib64", 12);
    assertEquals(new CublasLibrary.Found(12, toolkit), find(Map.of(), null).orElseThrow());
    Path listed = library("elsewhere", 12);
    Map<String, String> path = Map.of("LD_LIBRARY_PATH", "/none::" + listed);
    assertEquals(new CublasLibrary.Found(12, listed), find(path, null).orElseThrow());
    Path chosen = library("chosen", 12);
    assertEquals(new CublasLibrary.Found(12, chosen), find(path, chosen).orElseThrow());
  }

  @Test
  void version12WinsOver13WhereverItIs() throws IOException {
    Path newer = library("usr/local/cuda/targets/x86_64-linux/lib", 13);
    assertEquals(new CublasLibrary.Found(13, newer), find(Map.of(), null).orElseThrow());
    Path older = library("home/.local/lib/python3.11/site-packages/nvidia/cublas/lib", 12);
    Map<String, String> home = Map.of("HOME", root.resolve("home").toString());
    assertEquals(new CublasLibrary.Found(12, older), find(home, null).orElseThrow());
  }

  @Test
  void aLibraryWithoutItsCompanionDoesNotCount() throws IOException {
    Path at = library("usr/lib64", 12);
    Files.delete(at.resolve("libcublasLt.so.12"));
    assertEquals(Optional.empty(), find(Map.of(), null));
  }

  @Test
  void pythonEnvironmentsAreLookedInWithEveryLayoutOfPackages() throws IOException {
    Path bin = Files.createDirectories(root.resolve("venv/bin"));
    Files.writeString(bin.resolve("python3"), "");
    for (String folder : List.of("nvidia/cublas/lib", "nvidia/cu13/lib")) {
      Path packages = root.resolve("venv/lib/python3.13/site-packages").resolve(folder);
      Files.createDirectories(packages);
      for (Map<String, String> environment :
          List.of(
              Map.of("VIRTUAL_ENV", root.resolve("venv").toString()),
              Map.of("PATH", "/bin:" + bin))) {
        Set<Path> folders = CublasLibrary.folders(environment::get, null, root);
        assertTrue(folders.contains(packages), folders.toString());
      }
    }
  }
}
