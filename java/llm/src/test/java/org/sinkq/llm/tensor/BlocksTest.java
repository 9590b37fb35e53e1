package org.sinkq.llm.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.sinkq.llm.gguf.TensorType;

/** Dequantization against the values of an independent implementation; see expect_blocks.py. */
class BlocksTest {
  private record Sample(TensorType type, Weights weights, float[] expected) {}

  private interface Check {
    void accept(Sample sample);
  }

  private static void forEachSample(Check check) throws IOException {
    ByteBuffer file;
    try (InputStream in = BlocksTest.class.getResourceAsStream("blocks.bin")) {
      file = ByteBuffer.wrap(in.readAllBytes()).order(ByteOrder.LITTLE_ENDIAN);
    }
    Set<TensorType> seen = EnumSet.noneOf(TensorType.class);
    while (file.hasRemaining()) {
      int id = file.getInt();
      TensorType type =
          Arrays.stream(TensorType.values()).filter(t -> t.id() == id).findFirst().orElseThrow();
      int elements = file.getInt();
      byte[] blocks = new byte[(int) type.byteSize(elements)];
      file.get(blocks);
      float[] expected = new float[elements];
      for (int i = 0; i < elements; i++) {
        expected[i] = file.getFloat();
      }
      seen.add(type);
      check.accept(
          new Sample(type, Weights.of(type, MemorySegment.ofArray(blocks), 1, elements), expected));
    }
    seen.add(TensorType.F32);
    assertEquals(EnumSet.allOf(TensorType.class), seen);
  }

  @Test
  void scalarIsExact() throws IOException {
    forEachSample(s -> assertExact(s, s.weights().row(0)));
  }

  @Test
  void bestKernelsAreExact() throws IOException {
    Kernels kernels = Kernels.best();
    forEachSample(
        s -> {
          float[] values = new float[s.expected().length];
          kernels.dequantize(s.weights(), 0, values, 0);
          assertExact(s, values);
        });
  }

  private static void assertExact(Sample sample, float[] values) {
    for (int i = 0; i < values.length; i++) {
      // Equal as numbers: zeros may differ in their sign.
      assertTrue(
          values[i] == sample.expected()[i],
          sample.type() + "[" + i + "]=" + values[i] + ", expected " + sample.expected()[i]);
    }
  }
}
