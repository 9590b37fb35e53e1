package org.sinkq.llm.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.sinkq.concurrent.WorkerPool;
import org.sinkq.llm.gguf.TensorType;

/** Products against binary64, and the promises on their bits: twins, threads, neighbours. */
class ProductsTest {
  private static final int COLUMNS = 512;
  private static final int ROWS = 7;

  /** Multiples of a tile, one that a tile's end cuts, and less than a tile. */
  private static final int[] OUTPUTS = {64, 200, 49, 5};

  private final SplittableRandom random = new SplittableRandom(11);

  private Linear linear(TensorType type, int outputs) {
    byte[] blocks = new byte[(int) type.byteSize((long) outputs * COLUMNS)];
    random.nextBytes(blocks);
    for (int at = 0; at < blocks.length; at += type.blockLength()) {
      keepSmall(type, blocks, at);
    }
    float[] bias = floats(outputs);
    return new Linear(Weights.of(type, MemorySegment.ofArray(blocks), outputs, COLUMNS), bias);
  }

  /** Makes the scales of a block numbers of magnitude about 1. */
  private static void keepSmall(TensorType type, byte[] blocks, int at) {
    switch (type) {
      case F32 -> blocks[at + 3] = (byte) ((blocks[at + 3] & 0x80) | 0x3F);
      case F16, BF16, Q8_0, Q4_0, Q5_0 -> small(blocks, at);
      case Q6_K -> small(blocks, at + 208);
      case Q4_1, Q5_1, Q4_K, Q5_K -> {
        small(blocks, at);
        small(blocks, at + 2);
      }
    }
  }

  private static void small(byte[] blocks, int at) {
    blocks[at + 1] = (byte) ((blocks[at + 1] & 0x80) | 0x3B);
  }

  private float[] floats(int n) {
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) random.nextDouble(-1, 1);
    }
    return values;
  }

  private static float[] apply(Kernels kernels, int threads, Linear map, float[] x, int rows) {
    try (WorkerPool workers = new WorkerPool(threads, "test")) {
      float[] to = new float[rows * map.weights().rows()];
      new Products(kernels, workers).apply(map, x, rows, to);
      return to;
    }
  }

  @Test
  void agreesWithDouble() {
    float[] x = floats(ROWS * COLUMNS);
    for (TensorType type : TensorType.values()) {
      for (int outputs : OUTPUTS) {
        Linear map = linear(type, outputs);
        float[] to = apply(Kernels.best(), 2, map, x, ROWS);
        for (int r = 0; r < ROWS; r++) {
          for (int o = 0; o < outputs; o++) {
            float[] row = map.weights().row(o);
            double sum = map.bias()[o];
            double magnitude = Math.abs(sum);
            for (int i = 0; i < COLUMNS; i++) {
              sum += (double) row[i] * x[r * COLUMNS + i];
              magnitude += Math.abs((double) row[i] * x[r * COLUMNS + i]);
            }
            assertEquals(
                sum,
                to[r * outputs + o],
                1e-6 * magnitude,
                type + ", outputs=" + outputs + ", row=" + r + ", output=" + o);
          }
        }
      }
    }
  }

  @Test
  void twinsGiveTheSameBits() {
    float[] x = floats(ROWS * COLUMNS);
    for (TensorType type : TensorType.values()) {
      for (int outputs : OUTPUTS) {
        Linear map = linear(type, outputs);
        assertArrayEquals(
            apply(new ScalarKernels(), 1, map, x, ROWS),
            apply(Kernels.best(), 1, map, x, ROWS),
            type + ", outputs=" + outputs);
      }
    }
  }

  @Test
  void aRowDoesNotDependOnItsNeighbours() {
    float[] x = floats(ROWS * COLUMNS);
    for (TensorType type : TensorType.values()) {
      for (int outputs : OUTPUTS) {
        Linear map = linear(type, outputs);
        float[] together = apply(Kernels.best(), 1, map, x, ROWS);
        for (int r = 0; r < ROWS; r++) {
          float[] row = Arrays.copyOfRange(x, r * COLUMNS, (r + 1) * COLUMNS);
          assertArrayEquals(
              apply(Kernels.best(), 1, map, row, 1),
              Arrays.copyOfRange(together, r * outputs, (r + 1) * outputs),
              type + ", outputs=" + outputs + ", row=" + r);
        }
      }
    }
  }

  @Test
  void resultsDoNotDependOnTheNumberOfThreads() {
    int rows = 300;
    float[] x = floats(rows * COLUMNS);
    for (TensorType type : new TensorType[] {TensorType.F16, TensorType.Q4_1}) {
      Linear map = linear(type, 200);
      float[] one = apply(Kernels.best(), 1, map, x, rows);
      assertArrayEquals(one, apply(Kernels.best(), 2, map, x, rows), type + ", 2 threads");
      assertArrayEquals(one, apply(Kernels.best(), 5, map, x, rows), type + ", 5 threads");
    }
  }

  @Test
  void severalMapsInOneLoop() {
    float[] x = floats(ROWS * COLUMNS);
    Linear[] maps = {
      linear(TensorType.Q4_1, 64), linear(TensorType.F32, 49), linear(TensorType.Q8_0, 200)
    };
    float[][] to = {new float[ROWS * 64], new float[ROWS * 49], new float[ROWS * 200]};
    try (WorkerPool workers = new WorkerPool(2, "test")) {
      new Products(Kernels.best(), workers).apply(maps, x, ROWS, to);
    }
    for (int i = 0; i < maps.length; i++) {
      assertArrayEquals(apply(Kernels.best(), 1, maps[i], x, ROWS), to[i], "map " + i);
    }
  }

  @Test
  void gatedMapsMultiply() {
    int rows = 300;
    float[] x = floats(rows * COLUMNS);
    Linear gate = linear(TensorType.Q4_0, 200);
    Linear up = linear(TensorType.Q5_1, 200);
    float[] gated = new float[rows * 200];
    try (WorkerPool workers = new WorkerPool(2, "test")) {
      new Products(Kernels.best(), workers)
          .applyGated(Activation.SILU, gate, up, x, rows, gated, new float[rows * 200]);
    }
    float[] expected = apply(Kernels.best(), 1, gate, x, rows);
    new ScalarKernels()
        .siluMultiply(expected, apply(Kernels.best(), 1, up, x, rows), 0, expected.length);
    assertArrayEquals(expected, gated);
  }

  @Test
  void rowOperationsAreTwins() {
    for (int n : new int[] {64, 80, 96, 576, 1504}) {
      float[] x = floats(n);
      float[] weight = floats(n);
      float[] scalar = new float[n];
      float[] best = new float[n];
      new ScalarKernels().rmsNorm(x, 0, n, weight, 1e-5f, scalar, 0);
      Kernels.best().rmsNorm(x, 0, n, weight, 1e-5f, best, 0);
      assertArrayEquals(scalar, best, "norm of " + n);
      double squares = 0;
      for (float v : x) {
        squares += (double) v * v;
      }
      assertEquals(x[3] / Math.sqrt(squares / n + 1e-5f) * weight[3], scalar[3], 1e-6);
      new ScalarKernels().siluMultiply(scalar, weight, 0, n);
      Kernels.best().siluMultiply(best, weight, 0, n);
      assertArrayEquals(scalar, best, "silu of " + n);
      new ScalarKernels().geluMultiply(scalar, weight, 0, n);
      Kernels.best().geluMultiply(best, weight, 0, n);
      assertArrayEquals(scalar, best, "gelu of " + n);
      new ScalarKernels().add(scalar, x, 0, n);
      Kernels.best().add(best, x, 0, n);
      assertArrayEquals(scalar, best, "sum of " + n);
      scalar[n / 2] = best[n / 2] = -100;
      new ScalarKernels().exp(scalar, 3, n - 3);
      Kernels.best().exp(best, 3, n - 3);
      assertArrayEquals(scalar, best, "exp of " + n);
    }
  }
}
