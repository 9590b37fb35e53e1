package org.sinkq.llm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.AttentionMetadata;
import org.sinkq.BackendConfig;
import org.sinkq.CapacityExhaustedException;
import org.sinkq.InvalidArgumentException;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.cuda.CudaDevice;
import org.sinkq.cuda.CudaHost;
import org.sinkq.cuda.ForwardKernels;

/** Replayed decode steps of whole models, and what they choose. */
abstract class DecodeLoopContract {
  private static final int PAGE = 32;

  /** Replayed and plain steps may use other products, where cuBLAS chooses them by the rows. */
  private static final float TOLERANCE = 5e-3f;

  @TempDir Path folder;
  private LanguageModel model;
  private AttentionBackend backend;

  /** Name of the engine whose device is to be used. */
  abstract String engine();

  /** Whether the same rows give the same bits in a step of another size. */
  abstract boolean productsAreExact();

  /** Whether nobody else takes memory of the device meanwhile. */
  abstract boolean deviceIsOurs();

  @BeforeEach
  void open() {
    Path file = new TinyModel("llama", 4).withRopeFactors().write(folder.resolve("tiny.gguf"));
    model = LanguageModel.open(file, 1);
    backend = open(model.attentionShape());
    model.moveTo(backend);
  }

  @AfterEach
  void close() {
    backend.close();
    model.close();
  }

  private AttentionBackend open(ModelShape shape) {
    return open(shape, 600, 6);
  }

  private AttentionBackend open(ModelShape shape, int tokens, int sequences) {
    KvCacheSpec cache =
        KvCacheSpec.builder()
            .pageTokens(PAGE)
            .windowTokens(4)
            .capacityTokens(tokens)
            .maxSequences(sequences)
            .build();
    return open(shape, cache);
  }

  private AttentionBackend open(ModelShape shape, KvCacheSpec cache) {
    return AttentionBackends.open(
        BackendConfig.of(shape, cache).withThreads(1).withEngine(engine()));
  }

  private KvSequence prompt(int length) {
    KvSequence sequence = backend.newSequence();
    int[] tokens = new SplittableRandom(length).ints(length, 0, TinyModel.VOCABULARY).toArray();
    model.forward(backend, AttentionMetadata.single(sequence, length), tokens, new int[0]);
    return sequence;
  }

  /** A step that is not replayed, since its last row is asked for twice. */
  private float[][] plainStep(List<KvSequence> sequences, int[] tokens) {
    int[] wanted = Arrays.copyOf(rows(tokens.length), tokens.length + 1);
    wanted[tokens.length] = tokens.length - 1;
    float[][] logits = model.forward(backend, AttentionMetadata.decode(sequences), tokens, wanted);
    return Arrays.copyOf(logits, tokens.length);
  }

  private void assertSame(float[][] expected, float[][] actual) {
    assertEquals(expected.length, actual.length);
    for (int row = 0; row < expected.length; row++) {
      float largest = 0;
      for (float x : expected[row]) {
        largest = Math.max(largest, Math.abs(x));
      }
      float delta = productsAreExact() ? 0 : TOLERANCE * largest;
      assertArrayEquals(expected[row], actual[row], delta, "row " + row);
    }
  }

  @Test
  void replayedStepsArePlainOnes() {
    List<KvSequence> replayed = List.of(prompt(PAGE + 2), prompt(7));
    List<KvSequence> plain = List.of(prompt(PAGE + 2), prompt(7));
    for (int i = 0; i < 6; i++) {
      int[] tokens = {i, 40 - i};
      float[][] actual =
          model.forward(backend, AttentionMetadata.decode(replayed), tokens, new int[] {0, 1});
      assertSame(plainStep(plain, tokens), actual);
    }
    assertEquals(PAGE + 8, replayed.getFirst().length());
  }

  @Test
  void logitsComeInTheOrderOfTheirRows() {
    List<KvSequence> one = List.of(prompt(9), prompt(12), prompt(5));
    List<KvSequence> other = List.of(prompt(9), prompt(12), prompt(5));
    int[] tokens = {3, 1, 4};
    float[][] first =
        model.forward(backend, AttentionMetadata.decode(one), tokens, new int[] {0, 1, 2});
    float[][] turned =
        model.forward(backend, AttentionMetadata.decode(other), tokens, new int[] {2, 0, 1});
    assertArrayEquals(first[2], turned[0]);
    assertArrayEquals(first[0], turned[1]);
    assertArrayEquals(first[1], turned[2]);
  }

  @Test
  void tokensStayOnTheDeviceBetweenSteps() {
    List<KvSequence> ahead = List.of(prompt(PAGE), prompt(11));
    List<KvSequence> waiting = List.of(prompt(PAGE), prompt(11));
    int[] tokens = {5, 6};
    try (DecodeLoop loop = model.decodeLoop(backend, 2)) {
      loop.step(ahead, tokens);
      for (int i = 0; i < 7; i++) {
        loop.step(ahead);
      }
      int[] last = tokens;
      for (int i = 0; i < 8; i++) {
        last = model.mostProbable(backend, waiting, last);
      }
      assertArrayEquals(last, loop.tokens());
      float[][] logits = loop.logits(0, 1);
      assertEquals(last[0], Logits.mostProbable(logits[0]));
      assertEquals(last[1], Logits.mostProbable(logits[1]));
    }
  }

  @Test
  void sequencesJoinAndLeaveBetweenSteps() {
    List<KvSequence> all = List.of(prompt(PAGE + 3), prompt(8), prompt(20));
    List<KvSequence> twins = List.of(prompt(PAGE + 3), prompt(8), prompt(20));
    int[][] steps = {{0, 1, 2}, {2, 0}, {1}, {1, 2}, {0, 2, 1}};
    try (DecodeLoop loop = model.decodeLoop(backend, 3)) {
      for (int[] step : steps) {
        List<KvSequence> members = new ArrayList<>();
        List<KvSequence> expected = new ArrayList<>();
        for (int i : step) {
          members.add(all.get(i));
          expected.add(twins.get(i));
        }
        loop.step(members, step);
        assertSame(plainStep(expected, step), loop.logits(rows(step.length)));
        assertEquals(step.length, loop.tokens().length);
      }
    }
  }

  private static int[] rows(int n) {
    int[] rows = new int[n];
    Arrays.setAll(rows, i -> i);
    return rows;
  }

  @Test
  void theTableOfRopeGrowsUnderARecording() {
    backend.close();
    // A capacity in bytes does not say how long sequences become.
    KvCacheSpec cache =
        KvCacheSpec.builder()
            .pageTokens(PAGE)
            .windowTokens(4)
            .capacityBytes(1 << 20)
            .maxSequences(2)
            .build();
    backend = open(model.attentionShape(), cache);
    model.moveTo(backend);
    KvSequence replayed = prompt(250);
    KvSequence plain = prompt(250);
    try (DecodeLoop loop = model.decodeLoop(backend, 1)) {
      for (int i = 0; i < 12; i++) {
        loop.step(List.of(replayed), i);
        assertSame(plainStep(List.of(plain), new int[] {i}), loop.logits(0));
      }
    }
    assertEquals(262, replayed.length());
  }

  @Test
  void whatCannotBeRunIsRefused() {
    KvSequence a = prompt(3);
    KvSequence b = prompt(4);
    KvSequence full = prompt(TinyModel.CONTEXT);
    DecodeLoop loop = model.decodeLoop(backend, 1);
    refused("sequences=2, expected at most 1, the rows recorded", () -> loop.step(List.of(a, b)));
    refused(
        "tokens has 2 entries, expected one for each of 1 sequences, at most 1",
        () -> loop.step(List.of(a), 1, 2));
    refused("tokens[0]=50, expected 0 to 49", () -> loop.step(List.of(a), 50));
    refused(
        "1 token after 300, expected at most 300 in all: the model's context",
        () -> loop.step(List.of(full)));
    refused("row=0, expected 0 to -1", () -> loop.logits(0));
    assertEquals(3, a.length());
    loop.step(List.of(a), 7);
    assertEquals(1, loop.tokens().length);
    loop.close();
    loop.close();
    refused("loop=closed, expected an open one", loop::tokens);
    refused("batch=0, expected 1 or more", () -> model.decodeLoop(backend, 0));
    refused(
        "parts=[], expected at least one",
        () -> model.decodeLoop(backend, 1, EnumSet.noneOf(StepPart.class)));
  }

  @Test
  void aFullCacheLeavesALoopUsable() {
    ModelShape shape = ModelShape.of(1, 2, 1, 64);
    LlamaSize size = new LlamaSize(shape, 64, 64, 32, 400);
    try (AttentionBackend small = open(shape, 2 * PAGE, 2);
        RandomModel random = RandomModel.open(size, 1, small);
        DecodeLoop loop = random.decodeLoop(2);
        KvSequence a = small.newSequence();
        KvSequence b = small.newSequence()) {
      assertThrows(
          CapacityExhaustedException.class,
          () -> {
            for (int i = 0; i < 6 * PAGE; i++) {
              loop.step(List.of(a, b));
            }
          });
      int length = a.length();
      assertEquals(length, b.length());
      b.truncate(0);
      loop.step(List.of(a));
      assertEquals(1, loop.tokens().length);
      assertEquals(length + 1, a.length());
    }
  }

  @Test
  void aBackendThatClosesFirstEndsItsLoops() {
    DecodeLoop loop = model.decodeLoop(backend, 1);
    loop.step(List.of(prompt(3)), 1);
    backend.close();
    assertThrows(InvalidArgumentException.class, () -> loop.step(List.of()));
    loop.close();
  }

  @Test
  void randomWeightsAreMadeOnTheDevice() {
    ModelShape shape = ModelShape.of(2, 4, 2, 64);
    LlamaSize size = new LlamaSize(shape, 128, 192, 96, 400);
    int[][] chosen = new int[3][];
    float[][] logits = new float[3][];
    try (AttentionBackend other = open(shape)) {
      for (int i = 0; i < 3; i++) {
        try (RandomModel random = RandomModel.open(size, i / 2, other);
            DecodeLoop loop = random.decodeLoop(2);
            KvSequence a = other.newSequence();
            KvSequence b = other.newSequence()) {
          assertTrue(random.bytes() > 2L * 2 * 96 * 128);
          loop.step(List.of(a, b), 3, 17);
          for (int step = 0; step < PAGE + 5; step++) {
            loop.step(List.of(a, b));
          }
          chosen[i] = loop.tokens();
          logits[i] = loop.logits(1)[0];
        }
      }
    }
    assertArrayEquals(chosen[0], chosen[1]);
    assertArrayEquals(logits[0], logits[1]);
    assertNotEquals(Arrays.toString(logits[0]), Arrays.toString(logits[2]));
    double square = 0;
    for (float x : logits[0]) {
      square += (double) x * x;
    }
    double deviation = Math.sqrt(square / logits[0].length);
    assertTrue(deviation > 0.5 && deviation < 2, "deviation=" + deviation);
  }

  private static float[] step(DecodeLoop loop, AttentionBackend backend) {
    try (loop;
        KvSequence sequence = backend.newSequence()) {
      loop.step(List.of(sequence), 5);
      loop.step(List.of(sequence));
      return loop.logits(0)[0];
    }
  }

  private static long freeBytes(AttentionBackend backend) {
    return backend.engineAs(CudaHost.class).orElseThrow().device().memory().freeBytes();
  }

  @Test
  void weightsMoveToAnotherBackendOfTheDevice() {
    float[] expected = step(model.decodeLoop(backend, 1), backend);
    long before = freeBytes(backend);
    try (AttentionBackend other = open(model.attentionShape())) {
      model.moveTo(other);
      backend.close();
      assertArrayEquals(expected, step(model.decodeLoop(other, 1), other));
      if (deviceIsOurs()) {
        assertEquals(before, freeBytes(other));
      }
      assertThrows(InvalidArgumentException.class, () -> model.decodeLoop(backend, 1));
    }
  }

  @Test
  void randomWeightsMoveToo() {
    LlamaSize size = new LlamaSize(ModelShape.of(1, 2, 1, 64), 64, 64, 32, 400);
    AttentionBackend first = open(size.shape());
    try (AttentionBackend second = open(size.shape());
        RandomModel random = RandomModel.open(size, 1, first)) {
      float[] expected = step(random.decodeLoop(1), first);
      DecodeLoop old = random.decodeLoop(1);
      random.moveTo(second);
      assertThrows(InvalidArgumentException.class, () -> old.step(List.of()));
      first.close();
      assertArrayEquals(expected, step(random.decodeLoop(1), second));
      InvalidArgumentException e =
          assertThrows(InvalidArgumentException.class, () -> random.moveTo(backend));
      assertTrue(e.getMessage().startsWith("backend's shape="), e.getMessage());
      assertArrayEquals(expected, step(random.decodeLoop(1), second));
    }
  }

  @Test
  void partsOfAStepRunAlone() {
    KvSequence sequence = prompt(PAGE - 1);
    for (StepPart part : StepPart.values()) {
      int before = sequence.length();
      try (DecodeLoop loop = model.decodeLoop(backend, 2, EnumSet.of(part))) {
        for (int i = 0; i < 3; i++) {
          loop.step(List.of(sequence));
        }
        loop.synchronize();
      }
      assertEquals(part == StepPart.ATTENTION ? before + 3 : before, sequence.length());
    }
  }

  @Test
  void aStepThatTheDeviceRefusesIsTakenBack() {
    TinyModel tiny = new TinyModel("llama", 9);
    float[] weights = tiny.values("blk.1.attn_v.weight");
    for (int i = 0; i < weights.length; i++) {
      weights[i] *= 2e5f;
    }
    try (LanguageModel wild = LanguageModel.open(tiny.write(folder.resolve("wild.gguf")), 1);
        AttentionBackend other = open(wild.attentionShape());
        KvSequence sequence = other.newSequence()) {
      wild.moveTo(other);
      int[] token = {3};
      InvalidArgumentException e =
          assertThrows(
              InvalidArgumentException.class,
              () -> wild.mostProbable(other, List.of(sequence), token));
      assertTrue(e.getMessage().startsWith("value=not finite at layer 1, head "), e.getMessage());
      assertEquals(0, sequence.length());
      AttentionMetadata step = AttentionMetadata.single(sequence, 1);
      assertThrows(
          InvalidArgumentException.class, () -> wild.forward(other, step, token, new int[] {0}));
      assertEquals(0, sequence.length());
    }
  }

  /** Rows of logits, and what is chosen: the token, or -1 - the place of what is refused. */
  @Test
  void choicesAreThoseOfTheHost() {
    int vocabulary = 2500;
    float[][] rows = new float[9][vocabulary];
    SplittableRandom random = new SplittableRandom(8);
    for (float[] row : rows) {
      for (int i = 0; i < vocabulary; i++) {
        row[i] = (float) random.nextDouble(-20, -1);
      }
    }
    int[] expected = {Logits.mostProbable(rows[0]), 0, 1030, 77, 3, 2499, -1 - 640, -1 - 12, -1};
    rows[1][0] = rows[1][2000] = 4;
    rows[2][1030] = rows[2][1031] = rows[2][2499] = 0;
    rows[3][77] = -0.0f;
    rows[3][1500] = 0;
    Arrays.fill(rows[4], Float.NEGATIVE_INFINITY);
    rows[4][3] = rows[4][4] = -Float.MAX_VALUE;
    rows[5][2499] = Float.MAX_VALUE;
    rows[6][640] = Float.NaN;
    rows[6][1700] = rows[6][3] = Float.MAX_VALUE;
    rows[7][12] = Float.POSITIVE_INFINITY;
    rows[7][13] = Float.NaN;
    Arrays.fill(rows[8], Float.NEGATIVE_INFINITY);
    assertArrayEquals(expected, choose(rows));
    for (int row = 0; row < 6; row++) {
      assertEquals(Logits.mostProbable(rows[row]), expected[row]);
    }
  }

  private int[] choose(float[][] rows) {
    CudaHost host = backend.engineAs(CudaHost.class).orElseThrow();
    CudaDevice device = host.device();
    int length = rows[0].length;
    long logits = device.allocate((long) rows.length * length * Float.BYTES);
    long tokens = device.allocate((long) rows.length * Integer.BYTES);
    try (Arena arena = Arena.ofConfined();
        ForwardKernels kernels = new ForwardKernels(device, host.stream())) {
      for (int row = 0; row < rows.length; row++) {
        MemorySegment from = arena.allocateFrom(ValueLayout.JAVA_FLOAT, rows[row]);
        device.copyToDevice(logits + (long) row * length * Float.BYTES, from, host.stream());
      }
      kernels.choose(logits, tokens, rows.length, length);
      MemorySegment to = arena.allocate(ValueLayout.JAVA_INT, rows.length);
      device.copyToHost(to, tokens, host.stream());
      device.synchronize(host.stream());
      return to.toArray(ValueLayout.JAVA_INT);
    } finally {
      device.free(tokens);
      device.free(logits);
    }
  }

  private static void refused(String message, Runnable work) {
    InvalidArgumentException e = assertThrows(InvalidArgumentException.class, work::run);
    assertEquals(message, e.getMessage());
  }
}
