package org.sinkq.reference;

import java.util.List;
import org.sinkq.ModelShape;

/** {@code softmax over tokens of (q·k * scale)} times the values, in fp64. */
final class Softmax {
  private Softmax() {}

  /** Hears of the probabilities that tokens are given. */
  interface Listener {
    void give(int position, double probability);

    /** Hears nothing. */
    Listener NONE = (position, probability) -> {};
  }

  static Attention attend(
      ModelShape shape,
      int layer,
      List<Attended> tokens,
      float[] query,
      int queryPosition,
      Listener listener) {
    double[] weights = new double[tokens.size()];
    double max = Double.NEGATIVE_INFINITY;
    for (int i = 0; i < weights.length; i++) {
      Attended token = tokens.get(i);
      weights[i] =
          sees(shape.slidingWindow(layer), queryPosition, token.position())
              ? logit(shape, query, token.key())
              : Double.NEGATIVE_INFINITY;
      max = Math.max(max, weights[i]);
    }
    double[] out = new double[shape.headDim()];
    double[] magnitude = new double[shape.headDim()];
    double sum = 0;
    for (int i = 0; i < weights.length; i++) {
      double weight = Math.exp(weights[i] - max);
      weights[i] = weight;
      sum += weight;
      for (int d = 0; weight > 0 && d < out.length; d++) {
        out[d] += weight * tokens.get(i).value()[d];
        magnitude[d] += weight * Math.abs(tokens.get(i).value()[d]);
      }
    }
    for (int d = 0; d < out.length; d++) {
      out[d] /= sum;
      magnitude[d] /= sum;
    }
    for (int i = 0; i < weights.length; i++) {
      listener.give(tokens.get(i).position(), weights[i] / sum);
    }
    return new Attention(out, magnitude);
  }

  private static boolean sees(int window, int query, int token) {
    return token <= query && (window == 0 || token > query - window);
  }

  private static double logit(ModelShape shape, float[] query, double[] key) {
    double dot = 0;
    for (int d = 0; d < key.length; d++) {
      dot += query[d] * key[d];
    }
    double logit = dot * shape.softmaxScale();
    double cap = shape.logitsSoftCap();
    return cap == 0 ? logit : cap * Math.tanh(logit / cap);
  }
}
