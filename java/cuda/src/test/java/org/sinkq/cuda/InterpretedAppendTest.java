package org.sinkq.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.BackendConfig;
import org.sinkq.DType;
import org.sinkq.EngineAccess;
import org.sinkq.InvalidArgumentException;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.TensorView;
import org.sinkq.cache.SequenceState;
import org.sinkq.cuda.ptx.InterpretedDevice;
import org.sinkq.engine.Engine;

/** Rows that are appended: kernels that run, and tensors on the device. */
@Execution(ExecutionMode.CONCURRENT)
class InterpretedAppendTest {
  private static final int LAYERS = 2;
  private static final int HEADS = 2;
  private static final int DIM = 64;
  private static final int ROWS = 90;
  private static final int BYTES = ROWS * HEADS * DIM * Float.BYTES;

  private final InterpretedDevice device = InterpretedDevice.ampere(5);

  private AttentionBackend open() {
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .pageTokens(32)
            .windowTokens(4)
            .firstSinkLayer(0)
            .capacityTokens(256)
            .maxSequences(2)
            .build();
    return EngineAccess.open(
        BackendConfig.of(ModelShape.of(LAYERS, 2 * HEADS, HEADS, DIM), spec),
        new CudaEngineProvider(new OneDevice(() -> device)));
  }

  private static float[] rows() {
    Random random = new Random(9);
    float[] x = new float[ROWS * HEADS * DIM];
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) random.nextGaussian();
    }
    return x;
  }

  private void upload(float[] x, long to) {
    CudaDevice.Stream stream = device.createStream();
    MemorySegment bytes = MemorySegment.ofArray(x);
    device.copyToDevice(to, bytes, stream);
    device.synchronize(stream);
    device.destroy(stream);
  }

  private static void append(AttentionBackend backend, KvSequence sequence, TensorView kv) {
    try (AttentionPlan plan = backend.plan(AttentionMetadata.single(sequence, kv.tokens()))) {
      for (int layer = 0; layer < LAYERS; layer++) {
        plan.append(layer, kv, kv);
      }
      plan.commit();
    }
  }

  @Test
  void deviceAndHostRowsLeaveTheSameBytesAndNothingAttends() {
    float[] x = rows();
    long memory = device.allocate(BYTES);
    upload(x, memory);
    try (AttentionBackend backend = open()) {
      KvSequence host = backend.newSequence();
      KvSequence onDevice = backend.newSequence();
      append(backend, host, TensorView.of(x, ROWS, HEADS, DIM));
      append(backend, onDevice, TensorView.ofDevice(memory, DType.F32, ROWS, HEADS, DIM));
      SamePages.check(EngineAccess.engine(backend), LAYERS, HEADS, host, onDevice);
      List<String> work = device.log();
      assertTrue(work.stream().anyMatch(w -> w.contains("append")), work::toString);
      assertTrue(work.stream().anyMatch(w -> w.contains("pack")), work::toString);
      assertTrue(
          work.stream().noneMatch(w -> w.contains("attend") || w.contains("prefill")),
          work::toString);
    }
    device.free(memory);
  }

  @Test
  void aBadElementOnTheDeviceIsNamedWithTheLastLayer() {
    float[] x = rows();
    x[(3 * HEADS + 1) * DIM + 6] = Float.POSITIVE_INFINITY;
    long memory = device.allocate(BYTES);
    upload(x, memory);
    TensorView bad = TensorView.ofDevice(memory, DType.F32, ROWS, HEADS, DIM);
    try (AttentionBackend backend = open();
        KvSequence sequence = backend.newSequence()) {
      AttentionPlan plan = backend.plan(AttentionMetadata.single(sequence, ROWS));
      plan.append(1, bad, bad);
      InvalidArgumentException e =
          assertThrows(InvalidArgumentException.class, () -> plan.append(0, bad, bad));
      assertEquals(
          "key=Infinity at layer 0, head 1, position 3, channel 6, expected a finite number within"
              + " the fp16 range",
          e.getMessage());
      assertEquals(0, sequence.length());
      assertEquals(0, backend.stats().pages());
      upload(rows(), memory);
      append(backend, sequence, bad);
      assertEquals(ROWS, sequence.length());
    }
    device.free(memory);
  }

  private static void decode(AttentionBackend backend, KvSequence sequence, TensorView kv) {
    try (AttentionPlan plan = backend.plan(AttentionMetadata.decode(List.of(sequence)))) {
      float[] q = new float[2 * HEADS * DIM];
      TensorView queries = TensorView.of(q, 1, 2 * HEADS, DIM);
      for (int layer = 0; layer < LAYERS; layer++) {
        plan.run(layer, queries, kv, kv, queries);
      }
      plan.commit();
    }
  }

  @Test
  void theRowOfADecodeStepNeedsNoLaunchOfItsOwn() {
    float[] x = rows();
    TensorView row = TensorView.of(Arrays.copyOf(x, HEADS * DIM), 1, HEADS, DIM);
    try (AttentionBackend backend = open()) {
      KvSequence appended = backend.newSequence();
      KvSequence decoded = backend.newSequence();
      append(backend, appended, TensorView.of(x, ROWS, HEADS, DIM));
      append(backend, decoded, TensorView.of(x, ROWS, HEADS, DIM));
      append(backend, appended, row);
      int before = device.log().size();
      decode(backend, decoded, row);
      List<String> work = device.log().subList(before, device.log().size());
      assertTrue(work.stream().anyMatch(w -> w.contains("attend")), work::toString);
      assertTrue(work.stream().noneMatch(w -> w.contains("append")), work::toString);
      Engine engine = EngineAccess.engine(backend);
      SequenceState left = EngineAccess.state(appended);
      SequenceState right = EngineAccess.state(decoded);
      for (int layer = 0; layer < LAYERS; layer++) {
        for (int head = 0; head < HEADS; head++) {
          assertArrayEquals(
              engine.readWindowRow(layer, head, left, ROWS),
              engine.readWindowRow(layer, head, right, ROWS));
          assertEquals(
              engine.readScore(layer, head, left, ROWS),
              engine.readScore(layer, head, right, ROWS));
        }
      }
    }
  }

  @Test
  void aBadElementOfADecodeStepIsNamed() {
    float[] x = rows();
    float[] bad = Arrays.copyOf(x, HEADS * DIM);
    bad[DIM + 6] = Float.NaN;
    try (AttentionBackend backend = open();
        KvSequence sequence = backend.newSequence()) {
      append(backend, sequence, TensorView.of(x, ROWS, HEADS, DIM));
      InvalidArgumentException e =
          assertThrows(
              InvalidArgumentException.class,
              () -> decode(backend, sequence, TensorView.of(bad, 1, HEADS, DIM)));
      assertEquals(
          "key=NaN at layer 0, head 1, position 90, channel 6, expected a finite number within the"
              + " fp16 range",
          e.getMessage());
      assertEquals(ROWS, sequence.length());
      decode(backend, sequence, TensorView.of(Arrays.copyOf(x, HEADS * DIM), 1, HEADS, DIM));
      assertEquals(ROWS + 1, sequence.length());
    }
  }
}
