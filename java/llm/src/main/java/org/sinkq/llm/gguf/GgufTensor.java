package org.sinkq.llm.gguf;

import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A tensor of a file.
 *
 * @param name name in the file
 * @param type element type
 * @param shape extents, the contiguous one first
 * @param data the mapped bytes, exactly as long as type and shape say; read-only
 */
public record GgufTensor(String name, TensorType type, List<Long> shape, MemorySegment data) {
  /** Copies the shape. */
  public GgufTensor {
    shape = List.copyOf(shape);
  }

  /** Elements in all. */
  public long elements() {
    return shape.stream().reduce(1L, Math::multiplyExact);
  }

  /** Extent of a dimension; 1 beyond the last. */
  public long extent(int dimension) {
    return dimension < shape.size() ? shape.get(dimension) : 1;
  }
}
