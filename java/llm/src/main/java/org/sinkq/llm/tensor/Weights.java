package org.sinkq.llm.tensor;

import java.lang.foreign.MemorySegment;
import org.sinkq.llm.gguf.TensorType;

/**
 * A weight matrix where it lies in the model file: {@code rows} outputs by {@code columns} inputs,
 * the inputs of an output contiguous.
 *
 * @param type element type
 * @param data the mapped bytes
 * @param rows outputs
 * @param columns inputs; a multiple of {@link #COLUMN_MULTIPLE}
 * @param rowLength bytes from one row to the next
 */
public record Weights(TensorType type, MemorySegment data, int rows, int columns, long rowLength) {
  /** What the kernels need the number of inputs to be a multiple of. */
  public static final int COLUMN_MULTIPLE = 32;

  /** A matrix whose rows follow one another without gaps. */
  public static Weights of(TensorType type, MemorySegment data, int rows, int columns) {
    return new Weights(type, data, rows, columns, type.byteSize(columns));
  }

  /** A copy of one row as floats. */
  public float[] row(int row) {
    float[] values = new float[columns];
    ScalarBlocks.dequantize(type, data, offset(row), columns, values, 0);
    return values;
  }

  long offset(int row) {
    return row * rowLength;
  }
}
