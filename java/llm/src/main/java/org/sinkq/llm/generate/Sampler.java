package org.sinkq.llm.generate;

import java.util.SplittableRandom;
import org.sinkq.llm.Logits;

/**
 * Chooses tokens from logits. The same seed and logits give the same tokens on every machine; of
 * equal logits the lower id counts as the more probable. Not thread-safe.
 */
public final class Sampler {
  private final SamplingOptions options;
  private final SplittableRandom random;

  // [vocabulary], kept between calls: possible ids, and those that are kept with their weights.
  private int[] candidates = new int[0];
  private int[] kept = new int[0];
  private double[] weights = new double[0];

  /** Starts from the seed of the options. */
  public Sampler(SamplingOptions options) {
    this.options = options;
    random = new SplittableRandom(options.seed());
  }

  /**
   * The next token.
   *
   * @param logits [vocabulary], not empty; negative infinity rules a token out
   * @throws org.sinkq.InvalidArgumentException if a logit is NaN or positive infinity, or every
   *     token is ruled out
   */
  public int sample(float[] logits) {
    int best = Logits.mostProbable(logits);
    return options.isGreedy() ? best : draw(logits, logits[best]);
  }

  private int draw(float[] logits, float max) {
    if (candidates.length < logits.length) {
      candidates = new int[logits.length];
      kept = new int[logits.length];
      weights = new double[logits.length];
    }
    int possible = collect(logits, max);
    if (options.topK() > 0) {
      return pick(nucleus(keepTop(logits, max, possible)));
    }
    return pick(
        options.topP() < 1 ? keepNucleus(logits, max, possible) : keepAll(logits, max, possible));
  }

  /** Candidates that minP leaves, in the order of their ids. */
  private int collect(float[] logits, float max) {
    // p >= minP * p(max), in logits.
    double floor = max + options.temperature() * StrictMath.log(options.minP());
    int count = 0;
    for (int id = 0; id < logits.length; id++) {
      if (logits[id] >= floor && logits[id] > Float.NEGATIVE_INFINITY) {
        candidates[count++] = id;
      }
    }
    return count;
  }

  /** Probability of a token over that of the most probable one. */
  private double weight(float logit, float max) {
    return StrictMath.exp(((double) logit - max) / options.temperature());
  }

  private void keep(int at, int id, float[] logits, float max) {
    kept[at] = id;
    weights[at] = weight(logits[id], max);
  }

  private int keepAll(float[] logits, float max, int possible) {
    for (int i = 0; i < possible; i++) {
      keep(i, candidates[i], logits, max);
    }
    return possible;
  }

  private int keepTop(float[] logits, float max, int possible) {
    TopHeap heap = new TopHeap(logits, candidates, possible);
    int count = Math.min(options.topK(), possible);
    for (int i = 0; i < count; i++) {
      keep(i, heap.take(), logits, max);
    }
    return count;
  }

  /** How many of the kept tokens, which are in order, have the probability topP together. */
  private int nucleus(int count) {
    double target = options.topP() * mass(count);
    double sum = 0;
    int n = 0;
    while (n < count && sum < target) {
      sum += weights[n++];
    }
    return n;
  }

  /** As {@link #nucleus} of all candidates, taking only those off the heap that it needs. */
  private int keepNucleus(float[] logits, float max, int possible) {
    double mass = 0;
    for (int i = 0; i < possible; i++) {
      mass += weight(logits[candidates[i]], max);
    }
    double target = options.topP() * mass;
    TopHeap heap = new TopHeap(logits, candidates, possible);
    double sum = 0;
    int n = 0;
    while (!heap.isEmpty() && sum < target) {
      keep(n, heap.take(), logits, max);
      sum += weights[n++];
    }
    return n;
  }

  private double mass(int count) {
    double mass = 0;
    for (int i = 0; i < count; i++) {
      mass += weights[i];
    }
    return mass;
  }

  private int pick(int count) {
    double left = random.nextDouble() * mass(count);
    int i = 0;
    while (i < count - 1 && left >= weights[i]) {
      left -= weights[i++];
    }
    return kept[i];
  }
}
