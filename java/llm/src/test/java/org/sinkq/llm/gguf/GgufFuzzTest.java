package org.sinkq.llm.gguf;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.sinkq.llm.InvalidModelException;

/** Damaged files: an error of the one kind that callers handle, and no memory to speak of. */
class GgufFuzzTest {
  private static final int FLIPS = 4000;

  /** Far above what one small file needs, far below what a wrong count could ask for. */
  private static final long ALLOCATION_LIMIT = 4L << 20;

  @TempDir Path folder;

  @Test
  void everyTruncationIsRefused() throws IOException {
    byte[] whole = GgufFileTest.sample().toBytes();
    // Padding behind the last tensor may be missing.
    int needed = whole.length - 12;
    for (int length = 0; length < needed; length++) {
      Path path = Files.write(folder.resolve("t.gguf"), Arrays.copyOf(whole, length));
      int cut = length;
      assertThrows(
          InvalidModelException.class, () -> GgufFile.open(path).close(), () -> "cut=" + cut);
    }
    GgufFile.open(Files.write(folder.resolve("t.gguf"), Arrays.copyOf(whole, needed))).close();
  }

  @Test
  void flippedBytesNeverSurprise() throws IOException {
    long seed = System.nanoTime();
    SplittableRandom random = new SplittableRandom(seed);
    byte[] whole = GgufFileTest.sample().toBytes();
    for (int i = 0; i < FLIPS; i++) {
      byte[] damaged = whole.clone();
      int flips = 1 + random.nextInt(4);
      for (int f = 0; f < flips; f++) {
        damaged[random.nextInt(damaged.length)] = (byte) random.nextInt(256);
      }
      Path path = Files.write(folder.resolve("f.gguf"), damaged);
      String replay = "seed=" + seed + ", iteration=" + i;
      long before = allocated();
      try {
        readEverything(path);
      } catch (InvalidModelException e) {
        assertTrue(e.getMessage().startsWith(path + ": "), replay);
      } catch (RuntimeException | Error e) {
        fail(replay, e);
      }
      assertTrue(allocated() - before < ALLOCATION_LIMIT, replay);
    }
  }

  private static void readEverything(Path path) {
    try (GgufFile file = GgufFile.open(path)) {
      for (GgufTensor tensor : file.tensors()) {
        tensor.data().asByteBuffer().get(0);
        tensor.data().asByteBuffer().get((int) tensor.data().byteSize() - 1);
      }
    }
  }

  private static long allocated() {
    return ((com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean())
        .getCurrentThreadAllocatedBytes();
  }
}
