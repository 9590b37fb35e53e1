package org.sinkq.jlama;

import com.github.tjake.jlama.safetensors.DType;
import com.github.tjake.jlama.tensor.AbstractTensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Turns the elements {@code i} and {@code i + half} of a head by the angle of its position, with
 * the table that Jlama computes from the configuration.
 *
 * <p>Jlama itself looks up {@code KV head * headDim} entries further on, a shift that cancels
 * between q and k and that runs past the table's end near the end of the context. Here every head
 * uses its own position.
 */
@SuppressWarnings("rawtypes") // Jlama's tensors are raw everywhere.
final class RotaryEmbedding {
  private final float[][] table;
  private final int headDim;

  /**
   * A view of Jlama's table.
   *
   * @param table [positions * headDim / 2] of cosine and sine
   */
  RotaryEmbedding(float[][] table, int headDim) {
    this.table = table;
    this.headDim = headDim;
  }

  /** Turns all heads of all rows of a tensor [rows, heads * headDim]. */
  void rotate(AbstractTensor tensor, int startPosition) {
    int rows = tensor.shape().first();
    int length = tensor.shape().last();
    boolean floats = tensor.dType() == DType.F32;
    for (int row = 0; row < rows; row++) {
      int angles = (startPosition + row) * (headDim / 2);
      for (int head = 0; head < length; head += headDim) {
        if (floats) {
          rotateFloats(tensor.getMemorySegment(), row * length + head, angles);
        } else {
          rotateElements(tensor, row, head, angles);
        }
      }
    }
  }

  private void rotateFloats(MemorySegment elements, int at, int angles) {
    int half = headDim / 2;
    for (int i = 0; i < half; i++) {
      float[] angle = table[angles + i];
      float first = elements.getAtIndex(ValueLayout.JAVA_FLOAT, at + i);
      float second = elements.getAtIndex(ValueLayout.JAVA_FLOAT, at + i + half);
      elements.setAtIndex(ValueLayout.JAVA_FLOAT, at + i, first * angle[0] - second * angle[1]);
      elements.setAtIndex(
          ValueLayout.JAVA_FLOAT, at + i + half, first * angle[1] + second * angle[0]);
    }
  }

  private void rotateElements(AbstractTensor tensor, int row, int at, int angles) {
    int half = headDim / 2;
    for (int i = 0; i < half; i++) {
      float[] angle = table[angles + i];
      float first = tensor.get(row, at + i);
      float second = tensor.get(row, at + i + half);
      tensor.set(first * angle[0] - second * angle[1], row, at + i);
      tensor.set(first * angle[1] + second * angle[0], row, at + i + half);
    }
  }
}
