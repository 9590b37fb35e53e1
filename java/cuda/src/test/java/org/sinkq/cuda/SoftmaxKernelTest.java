package org.sinkq.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** The baseline's softmax, interpreted, against fp64. */
class SoftmaxKernelTest {
  @Test
  void rowsBecomeProbabilities() {
    int rows = 3;
    int columns = 2 * SoftmaxKernel.COLUMN_UNIT;
    SplittableRandom random = new SplittableRandom(8);
    try (CudaDevice device = InterpretedEngineProvider.device();
        Arena arena = Arena.ofConfined()) {
      MemorySegment logits = arena.allocate((long) rows * columns * Short.BYTES, 16);
      for (int i = 0; i < rows * columns; i++) {
        short half = Float.floatToFloat16((float) random.nextGaussian() * 4);
        logits.setAtIndex(ValueLayout.JAVA_SHORT, i, half);
      }
      // A row that one token has to itself, where a weight that is not shifted would overflow.
      logits.setAtIndex(ValueLayout.JAVA_SHORT, columns + 77, Float.floatToFloat16(300));
      CudaDevice.Stream stream = device.createStream();
      long data = device.allocate(logits.byteSize());
      device.copyToDevice(data, logits, stream);
      device.launch(SoftmaxKernel.launch(device, data, rows, columns), stream);
      MemorySegment result = arena.allocate(logits.byteSize(), 16);
      device.copyToHost(result, data, stream);
      device.synchronize(stream);
      for (int row = 0; row < rows; row++) {
        check(logits, result, row * columns, columns);
      }
      assertEquals(1, at(result, columns + 77));
    }
  }

  private static float at(MemorySegment halves, int index) {
    return Float.float16ToFloat(halves.getAtIndex(ValueLayout.JAVA_SHORT, index));
  }

  private static void check(MemorySegment logits, MemorySegment result, int first, int columns) {
    double max = Double.NEGATIVE_INFINITY;
    for (int i = 0; i < columns; i++) {
      max = Math.max(max, at(logits, first + i));
    }
    double sum = 0;
    for (int i = 0; i < columns; i++) {
      sum += Math.exp(at(logits, first + i) - max);
    }
    for (int i = 0; i < columns; i++) {
      double expected = Math.exp(at(logits, first + i) - max) / sum;
      assertEquals(expected, at(result, first + i), expected * 1e-3 + 0x1p-24, "column=" + i);
    }
  }

  @Test
  void columnsThatNoBlockReadsAreRefused() {
    try (CudaDevice device = InterpretedEngineProvider.device()) {
      assertEquals(
          "columns=100, expected a multiple of 2048",
          assertThrows(
                  IllegalArgumentException.class, () -> SoftmaxKernel.launch(device, 0, 1, 100))
              .getMessage());
    }
  }
}
