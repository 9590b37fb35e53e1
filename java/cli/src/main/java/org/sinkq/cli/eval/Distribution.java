package org.sinkq.cli.eval;

/** A next-token distribution given by its logits. */
final class Distribution {
  private Distribution() {}

  /** Logarithm of the sum of the exponentials, without overflow. */
  static double logSumExp(float[] logits) {
    float max = logits[argMax(logits)];
    double sum = 0;
    for (float logit : logits) {
      sum += Math.exp(logit - max);
    }
    return max + Math.log(sum);
  }

  /** Index of the largest logit, the first of equals. */
  static int argMax(float[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      if (logits[i] > logits[best]) {
        best = i;
      }
    }
    return best;
  }
}
