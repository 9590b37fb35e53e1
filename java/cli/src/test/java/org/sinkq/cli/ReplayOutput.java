package org.sinkq.cli;

import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import org.sinkq.llm.safetensors.SafetensorsFile;
import org.sinkq.llm.safetensors.Tensor;

/**
 * What a replay wrote.
 *
 * @param out [T * Hq * D]
 * @param sinks [Hkv][n]
 */
record ReplayOutput(float[] out, int[][] sinks) {
  static ReplayOutput read(Path path) {
    try (SafetensorsFile file = SafetensorsFile.open(path)) {
      float[] out = file.tensor("out").data().toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
      Tensor tensor = file.tensor("sinks");
      int[] flat = tensor.data().toArray(ValueLayout.JAVA_INT_UNALIGNED);
      int n = tensor.shape().get(1).intValue();
      int[][] sinks = new int[tensor.shape().get(0).intValue()][n];
      for (int head = 0; head < sinks.length; head++) {
        System.arraycopy(flat, head * n, sinks[head], 0, n);
      }
      return new ReplayOutput(out, sinks);
    }
  }
}
