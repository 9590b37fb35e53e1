package org.sinkq.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.DType;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.TensorView;

/** Device tensors of a few rows for every layer, with results of plain and of replayed steps. */
final class GraphTensors implements AutoCloseable {
  private static final long SEED = 77;
  private static final int SIZE = Float.BYTES;
  private static final byte UNTOUCHED = 0x55;

  private final CudaDevice device;
  private final CudaDevice.Stream stream;
  private final ModelShape shape;
  private final int batch;
  private final long rowBytes;
  private final long keyBytes;
  private final long layerBytes;
  private final long memory;
  private final MemorySegment host;
  private final Random random = new Random(SEED);

  GraphTensors(CudaDevice device, ModelShape shape, int batch) {
    this.device = device;
    this.shape = shape;
    this.batch = batch;
    stream = device.createStream();
    rowBytes = (long) shape.numQoHeads() * shape.headDim() * SIZE;
    keyBytes = (long) shape.numKvHeads() * shape.headDim() * SIZE;
    // q, plain out, replayed out, k, v
    layerBytes = batch * (3 * rowBytes + 2 * keyBytes);
    memory = device.allocate(shape.numLayers() * layerBytes);
    host = device.allocatePinned(shape.numLayers() * layerBytes);
    refresh();
  }

  private TensorView view(int layer, long offset, int rows, int heads) {
    return TensorView.ofDevice(
        memory + layer * layerBytes + offset, DType.F32, rows, heads, shape.headDim());
  }

  TensorView q(int layer) {
    return view(layer, 0, batch, shape.numQoHeads());
  }

  private TensorView plainOut(int layer, int rows) {
    return view(layer, batch * rowBytes, rows, shape.numQoHeads());
  }

  TensorView replayedOut(int layer) {
    return view(layer, 2L * batch * rowBytes, batch, shape.numQoHeads());
  }

  private long keyOffset() {
    return 3L * batch * rowBytes;
  }

  TensorView k(int layer) {
    return view(layer, keyOffset(), batch, shape.numKvHeads());
  }

  TensorView v(int layer) {
    return view(layer, keyOffset() + batch * keyBytes, batch, shape.numKvHeads());
  }

  TensorView onHost() {
    return TensorView.of(
        new float[batch * shape.numQoHeads() * shape.headDim()],
        batch,
        shape.numQoHeads(),
        shape.headDim());
  }

  /** New random rows; results are overwritten. */
  void refresh() {
    host.fill(UNTOUCHED);
    for (int layer = 0; layer < shape.numLayers(); layer++) {
      fill(layer * layerBytes, batch * rowBytes);
      fill(layer * layerBytes + keyOffset(), 2L * batch * keyBytes);
    }
    upload();
  }

  private void fill(long offset, long bytes) {
    for (long at = 0; at < bytes; at += SIZE) {
      host.set(ValueLayout.JAVA_FLOAT, offset + at, (float) random.nextGaussian());
    }
  }

  private void upload() {
    device.copyToDevice(memory, host, stream);
    device.synchronize(stream);
  }

  /** Makes channel 7 of head 1 of a row's value infinite. */
  void spoilValue(int layer, int row) {
    long at = layer * layerBytes + keyOffset() + batch * keyBytes + row * keyBytes;
    long element = at + (shape.headDim() + 7L) * SIZE;
    host.set(ValueLayout.JAVA_FLOAT, element, Float.POSITIVE_INFINITY);
    upload();
  }

  /** Runs a layer of a plain step on the first rows. */
  void run(AttentionPlan plan, int layer, int rows) {
    plan.run(
        layer,
        view(layer, 0, rows, shape.numQoHeads()),
        view(layer, keyOffset(), rows, shape.numKvHeads()),
        view(layer, keyOffset() + batch * keyBytes, rows, shape.numKvHeads()),
        plainOut(layer, rows));
  }

  /** Runs a layer of a prompt whose rows depend on nothing but their number. */
  void runOnHost(AttentionPlan plan, int layer, int rows) {
    Random own = new Random(SEED + layer + rows);
    float[] q = new float[rows * shape.numQoHeads() * shape.headDim()];
    float[] k = new float[rows * shape.numKvHeads() * shape.headDim()];
    for (int i = 0; i < k.length; i++) {
      k[i] = (float) own.nextGaussian();
    }
    TensorView qo = TensorView.of(q, rows, shape.numQoHeads(), shape.headDim());
    TensorView kv = TensorView.of(k, rows, shape.numKvHeads(), shape.headDim());
    plan.run(layer, qo, kv, kv, qo);
  }

  /**
   * A step of one sequence on fp16 rows in device memory, at an offset from where it is aligned.
   */
  void runPlaced(AttentionBackend backend, KvSequence sequence, int rows, long offset) {
    Random own = new Random(SEED + rows);
    long bytes = (long) rows * shape.numQoHeads() * shape.headDim() * Short.BYTES;
    long placed = device.allocate(2 * bytes + offset);
    MemorySegment pinned = device.allocatePinned(bytes);
    for (long at = 0; at < bytes; at += Short.BYTES) {
      short half = Float.floatToFloat16((float) own.nextGaussian());
      pinned.set(ValueLayout.JAVA_SHORT, at, half);
    }
    device.copyToDevice(placed + offset, pinned, stream);
    device.synchronize(stream);
    try (AttentionPlan plan = backend.plan(AttentionMetadata.single(sequence, rows))) {
      for (int layer = 0; layer < shape.numLayers(); layer++) {
        TensorView kv = fp16(placed + offset, rows, shape.numKvHeads());
        TensorView q = fp16(placed + offset, rows, shape.numQoHeads());
        plan.run(layer, q, kv, kv, fp16(placed + offset + bytes, rows, shape.numQoHeads()));
      }
      plan.commit();
    }
    device.freePinned(pinned);
    device.free(placed);
  }

  private TensorView fp16(long address, int rows, int heads) {
    return TensorView.ofDevice(address, DType.F16, rows, heads, shape.headDim());
  }

  /** The replayed results are the plain ones, and nothing is written beyond their rows. */
  void compare(int rows) {
    device.copyToHost(host, memory, stream);
    device.synchronize(stream);
    for (int layer = 0; layer < shape.numLayers(); layer++) {
      long plain = layer * layerBytes + batch * rowBytes;
      MemorySegment left = host.asSlice(plain, rows * rowBytes);
      MemorySegment right = host.asSlice(plain + batch * rowBytes, rows * rowBytes);
      assertEquals(-1, left.mismatch(right), "layer " + layer + ", seed " + SEED);
      for (long at = rows * rowBytes; at < batch * rowBytes; at++) {
        long beyond = plain + batch * rowBytes + at;
        assertEquals(UNTOUCHED, host.get(ValueLayout.JAVA_BYTE, beyond), "byte beyond the rows");
      }
    }
  }

  @Override
  public void close() {
    device.free(memory);
    device.freePinned(host);
    device.destroy(stream);
  }
}
