package org.sinkq;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The README's example is this file's, and it runs. */
class ReadmeExampleTest {
  private static final Path README = Path.of("../../README.md");
  private static final Path SOURCE = Path.of("src/test/java/org/sinkq/ReadmeExampleTest.java");

  private int runs;

  @Test
  void runs() {
    example();
    assertEquals(4, runs);
  }

  @Test
  void readmeShowsIt() throws IOException {
    assertEquals(
        between(SOURCE, "  private void example() {", "  }"),
        between(README, "```java", "```"),
        "the first Java block of README.md");
  }

  private static String between(Path file, String first, String last) throws IOException {
    List<String> lines = Files.readAllLines(file);
    int from = lines.indexOf(first);
    assertTrue(from >= 0, file + " has no line '" + first + "'");
    int count = lines.subList(from, lines.size()).indexOf(last);
    return String.join("\n", lines.subList(from + 1, from + count)).stripIndent().strip();
  }

  private float[] project(int layer, int tokens, int heads) {
    runs += layer >= 0 && heads == 8 ? 1 : 0;
    return new float[tokens * heads * 128];
  }

  private void example() {
    ModelShape shape =
        ModelShape.of(2, 32, 8, 128); // layers, query heads, KV heads, head dimension
    KvCacheSpec cache = KvCacheSpec.builder().capacityTokens(8192).maxSequences(4).build();
    try (AttentionBackend backend = AttentionBackends.open(BackendConfig.of(shape, cache));
        KvSequence sequence = backend.newSequence()) {
      int tokens = 300; // a prompt; 1 for a decode step, and steps may mix sequences
      try (AttentionPlan step = backend.plan(AttentionMetadata.single(sequence, tokens))) {
        for (int layer = 0; layer < shape.numLayers(); layer++) {
          TensorView q = TensorView.of(project(layer, tokens, 32), tokens, 32, 128); // after RoPE
          TensorView k = TensorView.of(project(layer, tokens, 8), tokens, 8, 128);
          TensorView v = TensorView.of(project(layer, tokens, 8), tokens, 8, 128);
          TensorView out = TensorView.of(new float[tokens * 32 * 128], tokens, 32, 128);
          step.run(layer, q, k, v, out); // append, attend, and quantize pages that are full
        }
        step.commit(); // closing without it rolls the step back
      }
    }
  }
}
