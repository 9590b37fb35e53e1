package org.sinkq;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Recorded steps on an engine that runs them anew every time. */
class DecodeGraphTest {
  private static final ModelShape SHAPE = ModelShape.of(2, 4, 2, 64);
  private static final int BATCH = 3;
  private static final long SEED = 5;

  private final float[] q = new float[BATCH * 4 * 64];
  private final float[] k = new float[BATCH * 2 * 64];
  private final float[] out = new float[BATCH * 4 * 64];
  private final Random random = new Random(SEED);

  private static AttentionBackend open() {
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .pageTokens(32)
            .windowTokens(4)
            .firstSinkLayer(1)
            .capacityTokens(128)
            .maxSequences(4)
            .build();
    return AttentionBackends.open(BackendConfig.of(SHAPE, spec).withEngine("cpu").withThreads(1));
  }

  private void refresh() {
    for (float[] x : new float[][] {q, k}) {
      for (int i = 0; i < x.length; i++) {
        x[i] = (float) random.nextGaussian();
      }
    }
  }

  private void record(RecordedStep step) {
    for (int layer = 0; layer < 2; layer++) {
      step.run(
          layer,
          TensorView.of(q, BATCH, 4, 64),
          TensorView.of(k, BATCH, 2, 64),
          TensorView.of(k, BATCH, 2, 64),
          TensorView.of(out, BATCH, 4, 64));
    }
    assertEquals(0, step.stream());
  }

  private float[] plainStep(AttentionBackend backend, List<KvSequence> sequences) {
    int rows = sequences.size();
    float[] result = new float[rows * 4 * 64];
    try (AttentionPlan plan = backend.plan(AttentionMetadata.decode(sequences))) {
      for (int layer = 0; layer < 2; layer++) {
        plan.run(
            layer,
            TensorView.of(q, rows, 4, 64),
            TensorView.of(k, rows, 2, 64),
            TensorView.of(k, rows, 2, 64),
            TensorView.of(result, rows, 4, 64));
      }
      plan.commit();
    }
    return result;
  }

  @Test
  void replaysAreStepsOfUpToTheRecordedRows() {
    try (AttentionBackend plain = open();
        AttentionBackend replayed = open();
        DecodeGraph graph = replayed.record(BATCH, this::record)) {
      List<KvSequence> expected = new ArrayList<>();
      List<KvSequence> actual = new ArrayList<>();
      for (int i = 0; i < 40; i++) {
        if (i % 15 == 0) {
          expected.add(plain.newSequence());
          actual.add(replayed.newSequence());
        }
        refresh();
        Arrays.fill(out, Float.NaN);
        float[] wanted = plainStep(plain, expected);
        graph.step(actual);
        graph.synchronize();
        assertArrayEquals(
            wanted, Arrays.copyOf(out, wanted.length), "step " + i + ", seed " + SEED);
        for (int beyond = wanted.length; beyond < out.length; beyond++) {
          assertEquals(Float.NaN, out[beyond]);
        }
      }
      assertEquals(40, actual.getFirst().length());
      assertArrayEquals(
          expected.getFirst().sinkPositions(1, 1), actual.getFirst().sinkPositions(1, 1));
      assertEquals(plain.stats(), replayed.stats());
    }
  }

  @Test
  void aHostEngineReportsABadElementAtOnce() {
    try (AttentionBackend backend = open();
        DecodeGraph graph = backend.record(BATCH, this::record)) {
      List<KvSequence> one = List.of(backend.newSequence());
      refresh();
      graph.step(one);
      k[64] = Float.NaN;
      InvalidArgumentException e =
          assertThrows(InvalidArgumentException.class, () -> graph.step(one));
      assertEquals(
          "key=NaN at layer 0, head 1, position 1, channel 0, expected a finite number within the"
              + " fp16 range",
          e.getMessage());
      assertEquals(1, one.getFirst().length());
      refresh();
      graph.step(one);
      assertEquals(2, one.getFirst().length());
    }
  }

  @Test
  void graphsOfClosedThingsAreRefused() {
    AttentionBackend backend = open();
    DecodeGraph graph = backend.record(BATCH, this::record);
    DecodeGraph left = backend.record(BATCH, this::record);
    graph.close();
    graph.close();
    InvalidArgumentException closed =
        assertThrows(InvalidArgumentException.class, graph::synchronize);
    assertEquals("graph=closed, expected an open one", closed.getMessage());
    backend.close();
    assertThrows(InvalidArgumentException.class, left::synchronize);
    left.close();
    InvalidArgumentException late =
        assertThrows(
            InvalidArgumentException.class, () -> backend.record(BATCH, this::record).close());
    assertEquals("backend=closed, expected an open one", late.getMessage());
  }

  @Test
  void aWrapperNeedNotRecord() {
    AttentionBackend wrapper =
        (AttentionBackend)
            Proxy.newProxyInstance(
                AttentionBackend.class.getClassLoader(),
                new Class<?>[] {AttentionBackend.class},
                (proxy, method, args) -> InvocationHandler.invokeDefault(proxy, method, args));
    InvalidArgumentException e =
        assertThrows(InvalidArgumentException.class, () -> wrapper.record(1, this::record).close());
    assertEquals(
        "backend=" + wrapper.getClass().getSimpleName() + ", expected one that records steps",
        e.getMessage());
  }
}
