package org.sinkq.llm.model;

import java.util.Arrays;

/**
 * Rotary position embedding: pair {@code i} of a head is turned by {@code position * base^(-2i /
 * dimensions)}. The table holds cosines and sines of the positions used so far and grows with them.
 */
final class RopeTable {
  private static final int FIRST_POSITIONS = 256;

  private final boolean interleaved;
  private final int pairs;
  private final int maxPositions;
  private final double[] frequency;
  private float[] cosine = {};
  private float[] sine = {};
  private int positions;

  /**
   * An empty table.
   *
   * @param base of the frequencies
   * @param factor positions are divided by this
   * @param factors [ropeDimensions / 2] what each frequency is divided by, or null
   */
  RopeTable(ModelConfig config, float base, float factor, float[] factors) {
    interleaved = config.architecture().interleavedRope();
    pairs = config.ropeDimensions() / 2;
    maxPositions = config.contextLength();
    frequency = new double[pairs];
    for (int i = 0; i < pairs; i++) {
      double divisor = factor * (factors == null ? 1.0 : factors[i]);
      frequency[i] = Math.pow(base, -2.0 * i / config.ropeDimensions()) / divisor;
    }
  }

  /** Makes positions 0 to {@code count - 1} available. */
  void ensure(int count) {
    if (count <= positions) {
      return;
    }
    int grown = Math.max(count, Math.min(maxPositions, Math.max(FIRST_POSITIONS, 2 * positions)));
    cosine = Arrays.copyOf(cosine, Math.multiplyExact(grown, pairs));
    sine = Arrays.copyOf(sine, cosine.length);
    for (int p = positions; p < grown; p++) {
      for (int i = 0; i < pairs; i++) {
        double angle = p * frequency[i];
        cosine[p * pairs + i] = (float) Math.cos(angle);
        sine[p * pairs + i] = (float) Math.sin(angle);
      }
    }
    positions = grown;
  }

  /** Leading elements of a head that are turned, in pairs. */
  int pairs() {
    return pairs;
  }

  /** Whether elements 2i and 2i + 1 are turned together, not i and i + pairs. */
  boolean isInterleaved() {
    return interleaved;
  }

  /** Positions that are available. */
  int positions() {
    return positions;
  }

  float cosine(int position, int pair) {
    return cosine[position * pairs + pair];
  }

  float sine(int position, int pair) {
    return sine[position * pairs + pair];
  }

  /** Turns a head that begins at {@code at}. */
  void rotate(float[] x, int at, int position) {
    int table = position * pairs;
    int step = interleaved ? 2 : 1;
    int partner = interleaved ? 1 : pairs;
    for (int i = 0; i < pairs; i++) {
      int a = at + i * step;
      int b = a + partner;
      float cos = cosine[table + i];
      float sin = sine[table + i];
      float first = x[a];
      float second = x[b];
      x[a] = first * cos - second * sin;
      x[b] = first * sin + second * cos;
    }
  }
}
