package org.sinkq.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.channels.Channels;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.BackendConfig;
import org.sinkq.DType;
import org.sinkq.InvalidArgumentException;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.TensorView;

/** Two devices of a machine in one process. */
abstract class DevicesContract {
  private static final int DIM = 64;
  private static final int[] STEPS = {50, 1, 1, 40, 1, 33, 1};
  private static final ModelShape SHAPE = ModelShape.of(2, 4, 2, DIM);

  /** Opens a backend on a device of that number. */
  abstract AttentionBackend open(BackendConfig config);

  /** What the probe of the engine says. */
  abstract String description();

  private AttentionBackend open(int device) {
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .pageTokens(32)
            .windowTokens(8)
            .firstSinkLayer(1)
            .capacityTokens(256)
            .maxSequences(2)
            .build();
    return open(BackendConfig.of(SHAPE, spec).withEngine("cuda").withDevice(device));
  }

  private static float[] numbers(Random random, int count) {
    float[] x = new float[count];
    for (int i = 0; i < count; i++) {
      x[i] = (float) random.nextGaussian();
    }
    return x;
  }

  /** A step whose numbers depend on its seed alone; returns what attention gives. */
  private static float[] step(AttentionBackend backend, KvSequence sequence, int rows, int seed) {
    Random random = new Random(seed);
    float[] all = new float[2 * rows * 4 * DIM];
    try (AttentionPlan plan = backend.plan(AttentionMetadata.single(sequence, rows))) {
      for (int layer = 0; layer < 2; layer++) {
        float[] out = new float[rows * 4 * DIM];
        plan.run(
            layer,
            TensorView.of(numbers(random, rows * 4 * DIM), rows, 4, DIM),
            TensorView.of(numbers(random, rows * 2 * DIM), rows, 2, DIM),
            TensorView.of(numbers(random, rows * 2 * DIM), rows, 2, DIM),
            TensorView.of(out, rows, 4, DIM));
        System.arraycopy(out, 0, all, layer * out.length, out.length);
      }
      plan.commit();
    }
    return all;
  }

  private static List<float[]> run(AttentionBackend backend) {
    List<float[]> results = new ArrayList<>();
    try (KvSequence sequence = backend.newSequence()) {
      for (int i = 0; i < STEPS.length; i++) {
        results.add(step(backend, sequence, STEPS[i], i));
      }
    }
    return results;
  }

  private static void assertSame(List<float[]> expected, List<float[]> actual) {
    assertEquals(expected.size(), actual.size());
    for (int i = 0; i < expected.size(); i++) {
      assertArrayEquals(expected.get(i), actual.get(i));
    }
  }

  @Test
  void oneThreadDrivesBothAlternately() {
    try (AttentionBackend first = open(0);
        KvSequence a = first.newSequence()) {
      List<float[]> expected = run(first);
      AttentionBackend second = open(1);
      assertEquals(0, host(first).device().ordinal());
      assertEquals(1, host(second).device().ordinal());
      KvSequence b = second.newSequence();
      for (int i = 0; i < STEPS.length; i++) {
        assertArrayEquals(expected.get(i), step(second, b, STEPS[i], i));
        assertArrayEquals(expected.get(i), step(first, a, STEPS[i], i));
      }
      second.close();
      assertEquals(expected.size(), run(first).size());
    }
  }

  @Test
  void severalThreadsDriveBothAtATime() throws Exception {
    try (AttentionBackend first = open(0);
        AttentionBackend second = open(1);
        ExecutorService threads = Executors.newFixedThreadPool(2)) {
      List<float[]> expected = run(first);
      for (int round = 0; round < 3; round++) {
        Callable<List<float[]>> left = () -> run(first);
        Callable<List<float[]>> right = () -> run(second);
        Future<List<float[]>> here = threads.submit(round % 2 == 0 ? left : right);
        Future<List<float[]>> there = threads.submit(round % 2 == 0 ? right : left);
        assertSame(expected, here.get());
        assertSame(expected, there.get());
      }
      // Whoever closes a backend need not have driven it.
      threads.submit(second::close).get();
      assertSame(expected, run(first));
    }
  }

  private static CudaHost host(AttentionBackend backend) {
    return backend.engineAs(CudaHost.class).orElseThrow();
  }

  @Test
  void memoryOfTheOtherDeviceIsRefused() {
    try (AttentionBackend first = open(0);
        AttentionBackend second = open(1)) {
      CudaDevice other = host(second).device();
      long address = other.allocate(4L * DIM * Float.BYTES);
      TensorView q = TensorView.ofDevice(address, DType.F32, 1, 4, DIM);
      TensorView kv = TensorView.of(new float[2 * DIM], 1, 2, DIM);
      TensorView out = TensorView.of(new float[4 * DIM], 1, 4, DIM);
      KvSequence sequence = first.newSequence();
      AttentionPlan plan = first.plan(AttentionMetadata.single(sequence, 1));
      String message =
          assertThrows(InvalidArgumentException.class, () -> plan.run(0, q, kv, kv, out))
              .getMessage();
      assertEquals(
          "q has devicePointer=0x%x, memory of device 1, expected memory of device 0"
              .formatted(address),
          message);
      plan.close();
      step(first, sequence, 1, 1);
      assertEquals(1, sequence.length());
      other.free(address);
    }
  }

  @Test
  void aSequenceMovesFromOneToTheOther() throws IOException {
    try (AttentionBackend first = open(0);
        AttentionBackend second = open(1)) {
      KvSequence sequence = first.newSequence();
      step(first, sequence, 90, 1);
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      sequence.save(Channels.newChannel(bytes));
      KvSequence moved =
          second.restore(Channels.newChannel(new ByteArrayInputStream(bytes.toByteArray())));
      for (int rows : new int[] {1, 40, 1}) {
        assertArrayEquals(step(first, sequence, rows, rows), step(second, moved, rows, rows));
      }
    }
  }

  @Test
  void aDeviceThatDoesNotExistIsNamed() {
    String message = assertThrows(InvalidArgumentException.class, () -> open(1000)).getMessage();
    assertTrue(message.startsWith("device=1000, expected 0 to "), message);
    assertTrue(message.contains(", CUDA devices here: "), message);
    assertTrue(description().startsWith("device 0 of "), description());
    assertTrue(description().contains("; device 1: "), description());
  }
}
