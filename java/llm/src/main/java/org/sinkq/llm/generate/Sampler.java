package org.sinkq.llm.generate;

import java.util.SplittableRandom;
import org.sinkq.llm.Logits;
import org.sinkq.llm.tensor.Kernels;

/**
 * Chooses tokens from logits. The same seed and logits give the same tokens on every machine; of
 * equal logits the lower id counts as the more probable. Not thread-safe.
 */
public final class Sampler {
  private final SamplingOptions options;
  private final SplittableRandom random;
  private final Kernels kernels = Kernels.best();

  // [vocabulary], kept between calls: probabilities over that of the most probable token, and ids.
  private float[] weights = new float[0];
  private int[] candidates = new int[0];
  private int[] likely = new int[0];

  /** Starts from the seed of the options. */
  public Sampler(SamplingOptions options) {
    this.options = options;
    random = new SplittableRandom(options.seed());
  }

  /**
   * The next token.
   *
   * @param logits [vocabulary], not empty; negative infinity rules a token out, and so does a
   *     probability below {@code exp(-87)} of the most probable token's
   * @throws org.sinkq.InvalidArgumentException if a logit is NaN or positive infinity, or every
   *     token is ruled out
   */
  public int sample(float[] logits) {
    int best = Logits.mostProbable(logits);
    return options.isGreedy() ? best : draw(logits, logits[best]);
  }

  private int draw(float[] logits, float max) {
    if (candidates.length < logits.length) {
      weights = new float[logits.length];
      candidates = new int[logits.length];
      likely = new int[logits.length];
    }
    weigh(logits, max);
    int count = collect(logits, max);
    if (options.topK() > 0) {
      count = keepTop(logits, count);
    }
    if (options.topP() < 1) {
      count = keepNucleus(logits, count);
    }
    return pick(count);
  }

  private void weigh(float[] logits, float max) {
    for (int id = 0; id < logits.length; id++) {
      weights[id] = (float) (((double) logits[id] - max) / options.temperature());
    }
    kernels.exp(weights, 0, logits.length);
  }

  /** Candidates that minP leaves, in the order of their ids. */
  private int collect(float[] logits, float max) {
    // p >= minP * p(max), in logits.
    double floor = max + options.temperature() * StrictMath.log(options.minP());
    int count = 0;
    for (int id = 0; id < logits.length; id++) {
      if (weights[id] > 0 && logits[id] >= floor) {
        candidates[count++] = id;
      }
    }
    return count;
  }

  private int keepTop(float[] logits, int count) {
    int most = Math.min(options.topK(), count);
    TopHeap heap = new TopHeap(logits, likely, likely(count, most, 0));
    for (int i = 0; i < most; i++) {
      candidates[i] = heap.take();
    }
    return most;
  }

  private int keepNucleus(float[] logits, int count) {
    double target = options.topP() * mass(count);
    TopHeap heap = new TopHeap(logits, likely, likely(count, 1, target));
    double sum = 0;
    int n = 0;
    while (!heap.isEmpty() && sum < target) {
      candidates[n] = heap.take();
      sum += weights[candidates[n++]];
    }
    return n;
  }

  /**
   * Lists the most probable candidates, in the order of their ids: at least so many, of so much
   * weight together, but not many more, since putting a whole vocabulary in order takes longer than
   * looking through it a few times.
   */
  private int likely(int count, int least, double mass) {
    for (float floor = 1 / 16f; ; floor /= 16) {
      int n = 0;
      double sum = 0;
      for (int i = 0; i < count; i++) {
        int id = candidates[i];
        if (weights[id] >= floor) {
          likely[n++] = id;
          sum += weights[id];
        }
      }
      if (n == count || (n >= least && sum >= mass)) {
        return n;
      }
    }
  }

  private double mass(int count) {
    double mass = 0;
    for (int i = 0; i < count; i++) {
      mass += weights[candidates[i]];
    }
    return mass;
  }

  private int pick(int count) {
    double left = random.nextDouble() * mass(count);
    int i = 0;
    while (i < count - 1 && left >= weights[candidates[i]]) {
      left -= weights[candidates[i++]];
    }
    return candidates[i];
  }
}
