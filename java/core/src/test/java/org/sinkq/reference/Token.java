package org.sinkq.reference;

import org.sinkq.KvCodec;

/**
 * A token of one KV head in full precision.
 *
 * @param position in its sequence
 * @param key [headDim] as stored
 * @param value [headDim] as stored
 */
public record Token(int position, float[] key, float[] value) {
  /** The largest fp16 number. */
  private static final float LARGEST_HALF = 65504f;

  /** A token as the window of a layer with this codec stores it. */
  static Token stored(KvCodec codec, int position, float[] key, float[] value) {
    return codec == KvCodec.FP32
        ? new Token(position, key.clone(), value.clone())
        : new Token(position, halves(key), halves(value));
  }

  /** A token of a reopened page: dequantized, back to fp16, within its finite range. */
  static Token reopened(KvCodec codec, int position, double[] key, double[] value) {
    return stored(codec, position, inRange(codec, key), inRange(codec, value));
  }

  private static float[] inRange(KvCodec codec, double[] row) {
    float[] x = new float[row.length];
    for (int d = 0; d < x.length; d++) {
      x[d] = (float) row[d];
      if (codec != KvCodec.FP32) {
        x[d] = Math.clamp(x[d], -LARGEST_HALF, LARGEST_HALF);
      }
    }
    return x;
  }

  private static float[] halves(float[] row) {
    float[] x = new float[row.length];
    for (int d = 0; d < x.length; d++) {
      x[d] = Quantization.half(row[d]);
    }
    return x;
  }

  /** Sum over channels of |K|; exact, fp16 numbers being multiples of 2^-24 below 2^16. */
  double score() {
    double sum = 0;
    for (float x : key) {
      sum += Math.abs(x);
    }
    return sum;
  }

  /** The token for {@link Softmax}. */
  Attended attended() {
    return new Attended(position, doubles(key), doubles(value));
  }

  private static double[] doubles(float[] row) {
    double[] x = new double[row.length];
    for (int d = 0; d < x.length; d++) {
      x[d] = row[d];
    }
    return x;
  }
}
