package org.sinkq.llm;

import static org.sinkq.InvalidArgumentException.require;

import org.sinkq.InvalidArgumentException;

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
      // Its arguments boxed for every id, require takes longer than all the rest of sampling.
      if (!(logits[id] < Float.POSITIVE_INFINITY)) {
        throw new InvalidArgumentException(
            "logits[%d]=%s, expected a finite number or -Infinity".formatted(id, logits[id]));
      }
      best = logits[id] > logits[best] ? id : best;
    }
    require(logits[best] > Float.NEGATIVE_INFINITY, "logits=all -Infinity, expected a finite one");
    return best;
  }
}
