package org.sinkq.llm.safetensors;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/**
 * One tensor.
 *
 * @param name its key in the header
 * @param dtype element type as the format spells it: F32, F16, BF16, I32, ...
 * @param shape extents, outermost first; empty for a scalar
 * @param data elements, row-major, little endian
 */
public record Tensor(String name, String dtype, List<Long> shape, MemorySegment data) {
  /** Copies the shape. */
  public Tensor {
    shape = List.copyOf(shape);
  }

  /** A tensor over existing memory. */
  public static Tensor of(String name, String dtype, MemorySegment data, long... shape) {
    return new Tensor(name, dtype, Arrays.stream(shape).boxed().toList(), data);
  }

  /** Shape for messages, such as {@code F32 [128, 8, 64]}. */
  public String describe() {
    return dtype + shape.stream().map(String::valueOf).collect(Collectors.joining(", ", " [", "]"));
  }
}
