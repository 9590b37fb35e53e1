package org.sinkq.llm.safetensors;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.util.List;
import java.util.function.Function;

/**
 * A tensor that is made when it is written.
 *
 * @param name its key in the header
 * @param dtype element type as the format spells it
 * @param shape extents, outermost first
 * @param byteSize bytes of its elements
 * @param data makes the elements, row-major, little endian, exactly that many bytes; the allocator
 *     gives memory that lasts until they are written
 */
public record TensorSource(
    String name,
    String dtype,
    List<Long> shape,
    long byteSize,
    Function<SegmentAllocator, MemorySegment> data) {
  /** Copies the shape. */
  public TensorSource {
    shape = List.copyOf(shape);
  }

  /** A tensor that is there already. */
  static TensorSource of(Tensor tensor) {
    return new TensorSource(
        tensor.name(),
        tensor.dtype(),
        tensor.shape(),
        tensor.data().byteSize(),
        allocator -> tensor.data());
  }
}
