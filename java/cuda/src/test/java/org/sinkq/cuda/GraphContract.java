package org.sinkq.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.BackendConfig;
import org.sinkq.DecodeGraph;
import org.sinkq.EngineAccess;
import org.sinkq.InvalidArgumentException;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.RecordedStep;
import org.sinkq.SinkPolicy;
import org.sinkq.cache.SequenceState;
import org.sinkq.cache.SinkTable;

/** Replayed steps do what plain ones do, bit by bit, whatever happens in between. */
abstract class GraphContract {
  private static final int LAYERS = 3;
  private static final int PAGE = 32;
  private static final int WINDOW = 16;
  private static final int BATCH = 3;
  private static final ModelShape SHAPE = ModelShape.of(LAYERS, 4, 2, 64);

  private CudaDevice device;
  private GraphTensors tensors;
  private AttentionBackend plain;
  private AttentionBackend replayed;
  private final List<KvSequence> expected = new ArrayList<>();
  private final List<KvSequence> actual = new ArrayList<>();

  /** A new device. */
  abstract CudaDevice openDevice();

  @BeforeEach
  void open() {
    device = openDevice();
    CudaEngineProvider provider = new CudaEngineProvider(new OneDevice(() -> device));
    tensors = new GraphTensors(device, SHAPE, BATCH);
    plain = EngineAccess.open(config(1024, 8), provider);
    replayed = EngineAccess.open(config(1024, 8), provider);
  }

  private static BackendConfig config(int tokens, int sequences) {
    return config(spec -> spec, tokens, sequences);
  }

  private static BackendConfig config(
      UnaryOperator<KvCacheSpec.Builder> change, int tokens, int sequences) {
    KvCacheSpec.Builder spec =
        KvCacheSpec.builder()
            .codec(KvCodec.INT2)
            .pageTokens(PAGE)
            .windowTokens(WINDOW)
            .firstSinkLayer(1)
            .capacityTokens(tokens)
            .maxSequences(sequences);
    return BackendConfig.of(SHAPE, change.apply(spec).build());
  }

  /** Both backends anew, with something changed. */
  private void reopen(UnaryOperator<KvCacheSpec.Builder> change) {
    plain.close();
    replayed.close();
    CudaEngineProvider provider = new CudaEngineProvider(new OneDevice(() -> device));
    plain = EngineAccess.open(config(change, 1200, 8), provider);
    replayed = EngineAccess.open(config(change, 1200, 8), provider);
  }

  @AfterEach
  void close() {
    replayed.close();
    plain.close();
    tensors.close();
    device.close();
  }

  /** Opens a pair of sequences of a length, on both backends from the same rows. */
  private void add(int length) {
    expected.add(plain.newSequence());
    actual.add(replayed.newSequence());
    prompt(plain, expected.getLast(), length);
    prompt(replayed, actual.getLast(), length);
  }

  private void prompt(AttentionBackend backend, KvSequence sequence, int length) {
    try (AttentionPlan plan = backend.plan(AttentionMetadata.single(sequence, length))) {
      for (int layer = 0; layer < LAYERS; layer++) {
        tensors.runOnHost(plan, layer, length);
      }
      plan.commit();
    }
  }

  private DecodeGraph record() {
    return replayed.record(BATCH, this::recordAll);
  }

  private void recordAll(RecordedStep step) {
    for (int layer = 0; layer < LAYERS; layer++) {
      step.run(
          layer, tensors.q(layer), tensors.k(layer), tensors.v(layer), tensors.replayedOut(layer));
    }
  }

  private void plainStep(List<KvSequence> sequences) {
    int rows = sequences.size();
    try (AttentionPlan plan = plain.plan(AttentionMetadata.decode(sequences))) {
      for (int layer = 0; layer < LAYERS; layer++) {
        tensors.run(plan, layer, rows);
      }
      plan.commit();
    }
  }

  /** A step on both, of the pairs with these numbers, results compared. */
  private void step(DecodeGraph graph, int... pairs) {
    List<KvSequence> left = new ArrayList<>();
    List<KvSequence> right = new ArrayList<>();
    for (int i : pairs) {
      left.add(expected.get(i));
      right.add(actual.get(i));
    }
    tensors.refresh();
    plainStep(left);
    graph.step(right);
    graph.synchronize();
    tensors.compare(pairs.length);
  }

  private void compareSinks() {
    for (int i = 0; i < expected.size(); i++) {
      assertEquals(expected.get(i).length(), actual.get(i).length());
      for (int layer = 0; layer < LAYERS; layer++) {
        for (int head = 0; head < 2; head++) {
          assertArrayEquals(
              expected.get(i).sinkPositions(layer, head), actual.get(i).sinkPositions(layer, head));
        }
      }
    }
    assertEquals(plain.stats().sinkTokens(), replayed.stats().sinkTokens());
    assertEquals(plain.stats().pages(), replayed.stats().pages());
  }

  @Test
  void sequencesGrowOverPageBordersAndFlushInDifferentSteps() {
    add(WINDOW + PAGE - 2);
    add(5);
    add(2 * PAGE + WINDOW + 20);
    try (DecodeGraph graph = record()) {
      assertEquals(BATCH, graph.batch());
      for (int i = 0; i < PAGE + 12; i++) {
        step(graph, 0, 1, 2);
      }
      compareSinks();
    }
  }

  /** Also with a layer's grids, digits and turns of values. */
  @Test
  void adaptivePagesFillInReplays() {
    int page = 128;
    reopen(spec -> spec.codec(KvCodec.INT2_ADAPTIVE).pageTokens(page));
    add(WINDOW + page - 2);
    add(5);
    add(2 * page + WINDOW - 1);
    try (DecodeGraph graph = record()) {
      for (int i = 0; i < 4; i++) {
        step(graph, 0, 1, 2);
      }
      compareSinks();
    }
  }

  @Test
  void sequencesComeAndGoBetweenReplays() {
    add(WINDOW + PAGE - 1);
    add(20);
    add(WINDOW + PAGE - 3);
    try (DecodeGraph graph = record()) {
      step(graph, 0);
      step(graph, 2, 1);
      step(graph, 2, 0, 1);
      // What the host does to the tables in between has to go up again.
      expected.get(0).truncate(PAGE + 3);
      actual.get(0).truncate(PAGE + 3);
      step(graph, 0, 2);
      expected.get(2).truncate(7);
      actual.get(2).truncate(7);
      expected.add(expected.get(0).fork());
      actual.add(actual.get(0).fork());
      step(graph, 3, 2, 0);
      try (AttentionPlan plan = replayed.plan(AttentionMetadata.decode(List.of(actual.get(3))))) {
        tensors.run(plan, 0, 1);
      }
      for (int i = 0; i < PAGE + WINDOW; i++) {
        step(graph, 3, 2);
      }
      compareSinks();
      actual.get(1).close();
      InvalidArgumentException closed =
          assertThrows(
              InvalidArgumentException.class,
              () -> graph.step(List.of(actual.get(0), actual.get(1))));
      assertEquals("sequence=closed, expected an open one", closed.getMessage());
      step(graph, 0, 3);
    }
  }

  /** Attention masses, which every step adds to: in place of the key norms, and bit by bit. */
  @Test
  void massesGrowAlike() {
    reopen(spec -> spec.sinks(new SinkPolicy(2, 6, SinkPolicy.Selection.MOST_ATTENDED)));
    add(WINDOW + PAGE - 2);
    add(5);
    add(2 * PAGE + WINDOW + 20);
    try (DecodeGraph graph = record()) {
      for (int i = 0; i < 14; i++) {
        step(graph, 2, i % 2);
      }
      expected.get(2).truncate(2 * PAGE + WINDOW - 1);
      actual.get(2).truncate(2 * PAGE + WINDOW - 1);
      expected.add(expected.get(2).fork());
      actual.add(actual.get(2).fork());
      step(graph, 3, 2, 1);
      prompt(plain, expected.get(3), PAGE);
      prompt(replayed, actual.get(3), PAGE);
      step(graph, 0, 3);
      compareSinks();
      compareMasses();
    }
  }

  /** Copied 16 bytes at a time or loaded one by one, fp16 queries are the same. */
  @Test
  void massesDoNotDependOnAlignment() {
    reopen(spec -> spec.sinks(new SinkPolicy(2, 6, SinkPolicy.Selection.MOST_ATTENDED)));
    expected.add(plain.newSequence());
    actual.add(replayed.newSequence());
    for (int rows : new int[] {PAGE + WINDOW + 9, 1, 3}) {
      tensors.runPlaced(plain, expected.getLast(), rows, 0);
      tensors.runPlaced(replayed, actual.getLast(), rows, Short.BYTES);
    }
    compareSinks();
    compareMasses();
  }

  private void compareMasses() {
    for (int i = 0; i < expected.size(); i++) {
      SequenceState left = EngineAccess.state(expected.get(i));
      SequenceState right = EngineAccess.state(actual.get(i));
      for (int position = left.flushedTokens(); position < left.length(); position++) {
        long score = EngineAccess.engine(plain).readScore(2, 1, left, position);
        assertEquals(score, EngineAccess.engine(replayed).readScore(2, 1, right, position));
        assertTrue(score < SinkTable.NO_MASS, "no mass at position " + position);
      }
    }
  }

  @Test
  void theHostMayBeManyStepsAhead() {
    add(WINDOW + PAGE - 4);
    add(WINDOW + PAGE - 6);
    tensors.refresh();
    try (DecodeGraph graph = record()) {
      for (int i = 0; i < 2 * PAGE + 5; i++) {
        plainStep(expected);
        graph.step(actual);
      }
      compareSinks();
      graph.synchronize();
      tensors.compare(2);
      step(graph, 1, 0);
    }
  }

  @Test
  void aBadElementIsReportedLateAndCanBeTakenBack() {
    add(10);
    add(30);
    try (DecodeGraph graph = record()) {
      step(graph, 0, 1);
      tensors.refresh();
      tensors.spoilValue(2, 1);
      graph.step(actual);
      InvalidArgumentException late =
          assertThrows(InvalidArgumentException.class, graph::synchronize);
      assertEquals(
          "value=not finite at layer 2, head 1, position 31, channel 7 of sequence 1 of a replayed"
              + " step, expected a finite number within the fp16 range; stored as 0, truncate the"
              + " sequence to take it back",
          late.getMessage());
      assertEquals(32, actual.get(1).length());
      graph.synchronize();
      actual.get(0).truncate(11);
      actual.get(1).truncate(31);
      step(graph, 0, 1);
      tensors.spoilValue(0, 0);
      graph.step(actual);
      // Whoever comes next hears of it, a plan too, and only once.
      InvalidArgumentException planned =
          assertThrows(
              InvalidArgumentException.class,
              () -> replayed.plan(AttentionMetadata.decode(actual)).close());
      assertTrue(
          planned.getMessage().startsWith("value=not finite at layer 0, head 1, position 12,"),
          planned.getMessage());
      replayed.plan(AttentionMetadata.decode(actual)).close();
      graph.synchronize();
    }
  }

  @Test
  void forksOutgrowTheTablesAndTheStepIsRecordedAnew() {
    CudaEngineProvider provider = new CudaEngineProvider(new OneDevice(() -> device));
    int[] recordings = {0};
    try (AttentionBackend small = EngineAccess.open(config(3 * PAGE + WINDOW, BATCH), provider)) {
      KvSequence first = small.newSequence();
      prompt(small, first, 6 * PAGE + WINDOW);
      List<KvSequence> all = List.of(first, first.fork(), first.fork());
      Consumer<RecordedStep> body =
          step -> {
            recordings[0]++;
            recordAll(step);
          };
      try (DecodeGraph graph = small.record(BATCH, body)) {
        tensors.refresh();
        graph.step(all.subList(0, 1));
        assertEquals(2, recordings[0]);
        graph.step(all);
        graph.synchronize();
        assertEquals(4, recordings[0]);
        assertEquals(6 * PAGE + WINDOW + 1, all.get(2).length());
      }
    }
  }

  @Test
  void aRecordingIsRefusedBeforeItDoesHarm() {
    add(9);
    refused(
        "layer 2 has not been run, expected all 3 layers before the end of a recording",
        s -> {
          s.run(0, tensors.q(0), tensors.k(0), tensors.v(0), tensors.replayedOut(0));
          s.run(1, tensors.q(0), tensors.k(0), tensors.v(0), tensors.replayedOut(0));
        });
    refused(
        "q, k, v, out=host memory, expected device memory in a recorded step",
        s -> s.run(0, tensors.onHost(), tensors.k(0), tensors.v(0), tensors.replayedOut(0)));
    refused(
        "k=[3, 4, 64], expected [3, 2, 64]",
        s -> s.run(0, tensors.q(0), tensors.q(0), tensors.v(0), tensors.replayedOut(0)));
    refused(
        "backend=recording a step, expected nothing else until it is recorded",
        s -> replayed.plan(AttentionMetadata.decode(actual)));
    InvalidArgumentException batch =
        assertThrows(InvalidArgumentException.class, () -> replayed.record(0, this::recordAll));
    assertEquals("batch=0, expected 1 or more", batch.getMessage());
    DecodeGraph graph = record();
    step(graph, 0);
    List<KvSequence> many = List.of(actual.get(0), actual.get(0), actual.get(0), actual.get(0));
    assertEquals(
        "sequences=4, expected at most 3, the rows recorded",
        assertThrows(InvalidArgumentException.class, () -> graph.step(many)).getMessage());
    graph.close();
    graph.close();
    assertEquals(
        "graph=closed, expected an open one",
        assertThrows(InvalidArgumentException.class, () -> graph.step(actual)).getMessage());
  }

  @Test
  void positionsAreThoseOfTheRows() {
    add(10);
    add(WINDOW + PAGE - 1);
    long copy = device.allocate((long) BATCH * Integer.BYTES);
    MemorySegment read = device.allocatePinned((long) BATCH * Integer.BYTES);
    CudaHost host = replayed.engineAs(CudaHost.class).orElseThrow();
    try (DecodeGraph graph =
        replayed.record(
            BATCH,
            step -> {
              recordAll(step);
              host.device()
                  .copy(copy, step.positions(), (long) BATCH * Integer.BYTES, host.stream());
            })) {
      for (int i = 0; i < 3; i++) {
        tensors.refresh();
        graph.step(List.of(actual.get(1), actual.get(0)));
        device.copyToHost(read, copy, host.stream());
        device.synchronize(host.stream());
        assertArrayEquals(
            new int[] {WINDOW + PAGE - 1 + i, 10 + i, 0}, read.toArray(ValueLayout.JAVA_INT));
      }
    }
    device.freePinned(read);
    device.free(copy);
  }

  @Test
  void closingTheBackendGivesRecordingsUp() {
    DecodeGraph graph = record();
    replayed.close();
    assertEquals(
        "graph=closed, expected an open one",
        assertThrows(InvalidArgumentException.class, () -> graph.step(actual)).getMessage());
    graph.close();
  }

  private void refused(String message, Consumer<RecordedStep> body) {
    InvalidArgumentException e =
        assertThrows(InvalidArgumentException.class, () -> replayed.record(BATCH, body));
    assertEquals(message, e.getMessage());
  }
}
