package org.sinkq;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** The serving loop of docs/hosting.md: what it answers, with and without company. */
class HostingExampleTest {
  private static final ModelShape SHAPE = ModelShape.of(2, 4, 2, 64);
  private static final int VOCABULARY = 40;
  private static final long SEED = 17;

  /** A model of random weights whose next token depends on everything before. */
  private static final class RandomModel implements HostingExample.Model {
    private final int width = SHAPE.numQoHeads() * SHAPE.headDim();
    private final float[][] input = table();
    private final float[][] output = table();

    private float[][] table() {
      SplittableRandom random = new SplittableRandom(SEED);
      float[][] table = new float[VOCABULARY][width];
      for (float[] row : table) {
        for (int i = 0; i < width; i++) {
          row[i] = (float) random.nextDouble(-1, 1);
        }
      }
      return table;
    }

    @Override
    public int[] forward(AttentionPlan plan, int[] tokens) {
      float[] x = new float[tokens.length * width];
      for (int row = 0; row < tokens.length; row++) {
        System.arraycopy(input[tokens[row]], 0, x, row * width, width);
      }
      for (int layer = 0; layer < SHAPE.numLayers(); layer++) {
        float[] out = new float[x.length];
        plan.run(
            layer,
            TensorView.of(x, tokens.length, SHAPE.numQoHeads(), SHAPE.headDim()),
            heads(x, tokens.length),
            heads(x, tokens.length),
            TensorView.of(out, tokens.length, SHAPE.numQoHeads(), SHAPE.headDim()));
        for (int i = 0; i < x.length; i++) {
          x[i] = 0.1f * x[i] + 3 * out[i];
        }
      }
      int[] next = new int[tokens.length];
      for (int row = 0; row < tokens.length; row++) {
        next[row] = likeliest(x, row * width, tokens[row]);
      }
      return next;
    }

    /** The first heads of each row, as keys and values. */
    private TensorView heads(float[] x, int rows) {
      return new TensorView(
          MemorySegment.ofArray(x),
          0,
          DType.F32,
          rows,
          SHAPE.numKvHeads(),
          SHAPE.headDim(),
          width,
          SHAPE.headDim());
    }

    private int likeliest(float[] x, int at, int token) {
      int best = 0;
      double most = Double.NEGATIVE_INFINITY;
      for (int v = 0; v < VOCABULARY; v++) {
        double score = 0;
        for (int i = 0; i < width; i++) {
          score += x[at + i] * output[(v + 3 * token) % VOCABULARY][i];
        }
        if (score > most) {
          most = score;
          best = v;
        }
      }
      return best;
    }
  }

  private static AttentionBackend open(int maxSequences, int capacityTokens) {
    KvCacheSpec cache =
        KvCacheSpec.builder()
            .codec(KvCodec.FP16)
            .pageTokens(32)
            .windowTokens(0)
            .maxSequences(maxSequences)
            .capacityTokens(capacityTokens)
            .build();
    return AttentionBackends.open(BackendConfig.of(SHAPE, cache).withThreads(1));
  }

  private static List<Integer> prompt(int request, int length) {
    SplittableRandom random = new SplittableRandom(SEED + request);
    return random.ints(length, 0, VOCABULARY).boxed().toList();
  }

  private static HostingExample.Request request(int i, KvSequence prefix) {
    return new HostingExample.Request(prompt(i, 20 + 30 * i), 60, prefix);
  }

  @Test
  void companyChangesNoAnswer() {
    List<List<Integer>> alone = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      try (AttentionBackend backend = open(1, 512)) {
        HostingExample server = new HostingExample(backend, new RandomModel());
        HostingExample.Request request = request(i, null);
        server.submit(request);
        server.serve();
        assertEquals(80 + 30 * i, request.text.size(), 2);
        alone.add(request.text.subList(0, 80 + 30 * i));
      }
    }
    try (AttentionBackend backend = open(6, 84)) {
      HostingExample server = new HostingExample(backend, new RandomModel());
      List<HostingExample.Request> requests = new ArrayList<>();
      for (int i = 0; i < 6; i++) {
        requests.add(request(i, null));
      }
      requests.forEach(server::submit);
      server.serve();
      for (int i = 0; i < 6; i++) {
        assertEquals(alone.get(i), requests.get(i).text.subList(0, 80 + 30 * i), "request " + i);
      }
      assertTrue(server.preempted > 0, "nothing was preempted");
      assertTrue(server.accepted > 0, "no draft was accepted");
      assertTrue(server.rejected > 0, "no draft was rejected");
      assertEquals(0, backend.stats().sequences());
      assertEquals(0, backend.stats().pages());
    }
  }

  @Test
  void aPrefixIsSharedNotCopied() {
    List<Integer> system = prompt(99, 128);
    List<List<Integer>> answers = new ArrayList<>();
    for (boolean share : new boolean[] {false, true}) {
      try (AttentionBackend backend = open(4, 160)) {
        RandomModel model = new RandomModel();
        KvSequence prefix = null;
        if (share) {
          prefix = backend.newSequence();
          try (AttentionPlan plan = backend.plan(AttentionMetadata.single(prefix, system.size()))) {
            model.forward(plan, system.stream().mapToInt(t -> t).toArray());
            plan.commit();
          }
          assertEquals(4, backend.stats().pages());
        }
        HostingExample server = new HostingExample(backend, model);
        for (int i = 0; i < 3; i++) {
          List<Integer> text = new ArrayList<>(system);
          text.addAll(prompt(i, 10));
          HostingExample.Request request = new HostingExample.Request(text, 20, prefix);
          server.submit(request);
          if (!share) {
            answers.add(request.text);
          } else {
            answers.set(i, List.copyOf(answers.get(i).subList(0, 158)));
          }
          if (share) {
            server.serve();
            assertEquals(answers.get(i), request.text.subList(0, 158), "request " + i);
            assertEquals(4, backend.stats().pages(), "the prefix's own");
          }
        }
        server.serve();
      }
    }
  }

  @Test
  void aRequestThatNeverFitsIsNotRetriedForEver() {
    try (AttentionBackend backend = open(1, 64)) {
      HostingExample server = new HostingExample(backend, new RandomModel());
      server.submit(request(5, null));
      assertThrows(CapacityExhaustedException.class, server::serve);
    }
  }

  @Test
  void rowsOnADeviceReachTheEngineAsAddresses() {
    try (AttentionBackend backend = open(1, 64);
        KvSequence sequence = backend.newSequence();
        AttentionPlan plan = backend.plan(AttentionMetadata.single(sequence, 3))) {
      InvalidArgumentException e =
          assertThrows(
              InvalidArgumentException.class,
              () -> HostingExample.attend(plan, 0, SHAPE, 3, 4096, 8192, 12288, 16384));
      assertEquals(
          "q has devicePointer=4096, expected host memory for the cpu engine", e.getMessage());
    }
  }

  @Test
  void theGuideShowsIt() throws IOException {
    String source = Files.readString(Path.of("src/test/java/org/sinkq/HostingExample.java"));
    String shown = source.substring(source.indexOf("final class HostingExample")).strip();
    String guide = Files.readString(Path.of("../../docs/hosting.md"));
    assertTrue(
        guide.contains("```java\n" + shown + "\n```"),
        "docs/hosting.md lacks the class of HostingExample.java as it stands");
  }
}
