package org.sinkq.cli.eval;

import java.util.Arrays;

/**
 * What one cache predicted for each token, against the fp16 cache: surprise, divergence of the
 * distributions, agreement of the most probable tokens.
 */
public final class TokenScores {
  private final int[] position;
  private final float[] loss;
  private final float[] divergence;
  private final boolean[] agrees;
  private int count;

  /** Room for {@code capacity} tokens. */
  TokenScores(int capacity) {
    position = new int[capacity];
    loss = new float[capacity];
    divergence = new float[capacity];
    agrees = new boolean[capacity];
  }

  /** Sets entry {@code index}; entries may be set by several threads, then {@link #grow} by one. */
  void set(int index, int at, double surprise, double kl, boolean same) {
    position[index] = at;
    loss[index] = (float) surprise;
    divergence[index] = (float) kl;
    agrees[index] = same;
  }

  void grow(int entries) {
    count += entries;
  }

  /** Predicted tokens. */
  public int count() {
    return count;
  }

  /** Exponential of the mean surprise. */
  public double perplexity() {
    double sum = 0;
    for (int i = 0; i < count; i++) {
      sum += loss[i];
    }
    return Math.exp(sum / count);
  }

  /** Mean of KL(fp16 || this) in nats. */
  public double meanDivergence() {
    double sum = 0;
    for (int i = 0; i < count; i++) {
      sum += divergence[i];
    }
    return sum / count;
  }

  /** The divergence that a part {@code quantile} of the tokens does not exceed. */
  public double divergence(double quantile) {
    float[] sorted = Arrays.copyOf(divergence, count);
    Arrays.sort(sorted);
    return sorted[Math.max(0, (int) Math.ceil(quantile * count) - 1)];
  }

  /** Part of the tokens for which both caches hold the same one for the most probable. */
  public double agreement() {
    int same = 0;
    for (int i = 0; i < count; i++) {
      same += agrees[i] ? 1 : 0;
    }
    return (double) same / count;
  }

  /**
   * Tokens that were predicted from position {@code first} on, counted from their window's begin.
   */
  public int countFrom(int first) {
    int n = 0;
    for (int i = 0; i < count; i++) {
      n += position[i] >= first ? 1 : 0;
    }
    return n;
  }

  /**
   * Mean divergence by position in the window.
   *
   * @param width positions of a bin
   * @return [bins], NaN where a bin has no token
   */
  public double[] divergenceByPosition(int width) {
    int last = Arrays.stream(position, 0, count).max().orElse(0);
    double[] sum = new double[last / width + 1];
    int[] tokens = new int[sum.length];
    for (int i = 0; i < count; i++) {
      sum[position[i] / width] += divergence[i];
      tokens[position[i] / width]++;
    }
    for (int b = 0; b < sum.length; b++) {
      sum[b] /= tokens[b];
    }
    return sum;
  }
}
