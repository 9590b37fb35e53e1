package org.sinkq.containers;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.sinkq.llm.safetensors.SafetensorsWriter;
import org.sinkq.llm.safetensors.Tensor;

/** A trace of one layer, read from and written to a mounted folder. */
@Tag("docker")
final class ReplayTest {
  private static final int QO_HEADS = 8;
  private static final int KV_HEADS = 2;
  private static final int DIM = 64;

  @TempDir Path folder;

  @BeforeEach
  void letTheImagesUserWrite() throws IOException {
    Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxrwx"));
  }

  @Test
  void theResultAppearsInTheFolder() throws IOException {
    trace(400);
    Outcome run = replay("--json").run().succeeded();
    assertTrue(
        run.out().startsWith("{\"tokens\":400,\"promptTokens\":0,\"qoHeads\":8,"), run.out());
    assertTrue(Files.size(folder.resolve("out.safetensors")) > 400L * QO_HEADS * DIM * Float.BYTES);
  }

  @Test
  void killedInTheMiddleItLeavesNothingAndStartsAgain() throws IOException, InterruptedException {
    trace(12000);
    try (SinkqContainer container = replay().start()) {
      Thread.sleep(1000);
      assertTrue(container.running(), "done before it could be killed: " + container.stdout());
      container.kill("SIGKILL");
      assertEquals(137, container.exitCode());
      assertEquals(List.of("in.safetensors"), names());
      container.restart().succeeded();
      assertEquals(List.of("in.safetensors", "out.safetensors"), names());
    }
    byte[] afterKill = Files.readAllBytes(folder.resolve("out.safetensors"));
    replay().run().succeeded();
    assertArrayEquals(afterKill, Files.readAllBytes(folder.resolve("out.safetensors")));
  }

  @Test
  void aFolderThatIsMountedReadOnlyIsRefusedBeforeTheWork() throws IOException {
    trace(10);
    SinkqContainer.of("replay", "/work/in.safetensors", "/work/out.safetensors")
        .readOnly(folder, "/work")
        .run()
        .refused("/work/out.safetensors: cannot write to its folder, expected a writable one");
  }

  private SinkqContainer replay(String... options) {
    String[] command =
        Stream.concat(
                Stream.of("replay", "/work/in.safetensors", "/work/out.safetensors"),
                Stream.of(options))
            .toArray(String[]::new);
    return SinkqContainer.of(command).writable(folder, "/work");
  }

  private void trace(int tokens) throws IOException {
    Random random = new Random(6);
    SafetensorsWriter.write(
        folder.resolve("in.safetensors"),
        List.of(
            rows("q", random, tokens, QO_HEADS),
            rows("k", random, tokens, KV_HEADS),
            rows("v", random, tokens, KV_HEADS)));
  }

  private static Tensor rows(String name, Random random, int tokens, int heads) {
    float[] values = new float[tokens * heads * DIM];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return Tensor.of(name, "F32", MemorySegment.ofArray(values), tokens, heads, DIM);
  }

  private List<String> names() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }
}
