package org.sinkq.llm;

import static org.sinkq.InvalidArgumentException.require;

/** What a step says about the next token. */
public final class Logits {
  private Logits() {}

  /**
   * The most probable token, the lowest of several.
   *
   * @param logits [vocabulary], not empty; negative infinity rules a token out
   * @throws org.sinkq.InvalidArgumentException if a logit is NaN or positive infinity, or every
   *     token is ruled out
   */
  public static int mostProbable(float[] logits) {
    require(logits.length > 0, "logits=[], expected at least one");
    int best = 0;
    for (int id = 0; id < logits.length; id++) {
      require(
          logits[id] < Float.POSITIVE_INFINITY,
          "logits[%d]=%s, expected a finite number or -Infinity",
          id,
          logits[id]);
      best = logits[id] > logits[best] ? id : best;
    }
    require(logits[best] > Float.NEGATIVE_INFINITY, "logits=all -Infinity, expected a finite one");
    return best;
  }
}
