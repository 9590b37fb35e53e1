package org.sinkq.cli.replay;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.sinkq.llm.safetensors.SafetensorsWriter;
import org.sinkq.llm.safetensors.Tensor;

/**
 * A random trace with a few keys of small magnitude, as attention sinks have them. Every element is
 * a binary16 number, so that storing it densely changes nothing; q is written as BF16, k as F16 and
 * v as F32.
 *
 * @param q [tokens][qoHeads][headDim]
 * @param k [tokens][kvHeads][headDim]
 * @param v [tokens][kvHeads][headDim]
 */
public record TraceFiles(float[][][] q, float[][][] k, float[][][] v) {
  /** Makes the same trace for the same seed. */
  public static TraceFiles random(long seed, int tokens, int qoHeads, int kvHeads, int headDim) {
    Random random = new Random(seed);
    float[][][] q = new float[tokens][qoHeads][headDim];
    float[][][] k = new float[tokens][kvHeads][headDim];
    float[][][] v = new float[tokens][kvHeads][headDim];
    for (int t = 0; t < tokens; t++) {
      for (float[] row : q[t]) {
        fill(row, random, 1);
      }
      for (int head = 0; head < kvHeads; head++) {
        boolean sink = t == 0 || random.nextInt(20) == 0;
        fill(k[t][head], random, sink ? 1f / 16 : 1);
        fill(v[t][head], random, 1);
      }
    }
    return new TraceFiles(q, k, v);
  }

  /** Seven significant bits: exact in BF16 as well as in F16. */
  private static void fill(float[] row, Random random, float scale) {
    for (int i = 0; i < row.length; i++) {
      row[i] = scale * (random.nextInt(255) - 127) / 64f;
    }
  }

  /** Writes the trace. */
  public Path write(Path file) throws IOException {
    SafetensorsWriter.write(file, List.of(bf16("q", q), f16("k", k), f32("v", v)));
    return file;
  }

  /** A tensor of the trace as F32. */
  public static Tensor f32(String name, float[][][] rows) {
    return tensor(name, "F32", rows, MemorySegment.ofArray(flat(rows)));
  }

  private static Tensor f16(String name, float[][][] rows) {
    float[] flat = flat(rows);
    short[] bits = new short[flat.length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = Float.floatToFloat16(flat[i]);
    }
    return tensor(name, "F16", rows, MemorySegment.ofArray(bits));
  }

  private static Tensor bf16(String name, float[][][] rows) {
    float[] flat = flat(rows);
    short[] bits = new short[flat.length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = (short) (Float.floatToRawIntBits(flat[i]) >>> Short.SIZE);
    }
    return tensor(name, "BF16", rows, MemorySegment.ofArray(bits));
  }

  private static Tensor tensor(String name, String dtype, float[][][] rows, MemorySegment data) {
    return Tensor.of(name, dtype, data, rows.length, rows[0].length, rows[0][0].length);
  }

  private static float[] flat(float[][][] rows) {
    int heads = rows[0].length;
    int dim = rows[0][0].length;
    float[] flat = new float[rows.length * heads * dim];
    for (int t = 0; t < rows.length; t++) {
      for (int head = 0; head < heads; head++) {
        System.arraycopy(rows[t][head], 0, flat, (t * heads + head) * dim, dim);
      }
    }
    return flat;
  }
}
