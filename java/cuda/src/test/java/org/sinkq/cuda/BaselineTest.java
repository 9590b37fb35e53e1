package org.sinkq.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** PyTorch's times, as its script prints them. */
class BaselineTest {
  private static final String PROPERTY = "sinkq.bench.baseline";

  @TempDir private Path folder;

  @AfterEach
  void forget() {
    System.clearProperty(PROPERTY);
  }

  private Baseline load(String... lines) throws IOException {
    Path file = folder.resolve("baseline.txt");
    Files.write(file, java.util.List.of(lines));
    System.setProperty(PROPERTY, file.toString());
    return Baseline.load();
  }

  @Test
  void theFastestBackendOfAShapeCounts() throws IOException {
    Baseline baseline =
        load(
            "decode 32 8 1 8192 cudnn 26.60",
            "decode 32 8 1 8192 flash 24.10",
            "decode 32 8 1 81920 flash 3.00",
            "prefill 32 8 8192 cudnn 970.00");
    assertEquals(
        Optional.of(new Baseline.Time("flash", 24.1)), baseline.best("decode 32 8 1 8192"));
    assertEquals(Optional.of(new Baseline.Time("cudnn", 970)), baseline.best("prefill 32 8 8192"));
    assertEquals(Optional.empty(), baseline.best("decode 32 8 1 819"));
    assertEquals(Optional.empty(), baseline.best("decode 32 8 8 8192"));
  }

  @Test
  void withoutAFileNothingIsKnown() throws IOException {
    assertEquals(Optional.empty(), Baseline.load().best("decode 32 8 1 8192"));
  }
}
