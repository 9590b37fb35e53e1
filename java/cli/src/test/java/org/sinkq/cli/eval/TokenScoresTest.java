package org.sinkq.cli.eval;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

final class TokenScoresTest {
  private static TokenScores scores() {
    TokenScores scores = new TokenScores(6);
    scores.set(0, 1, Math.log(2), 0.5, true);
    scores.set(1, 2, Math.log(8), 0.25, false);
    scores.set(2, 9, Math.log(4), 0, true);
    scores.set(3, 10, Math.log(4), 1, true);
    scores.grow(4);
    return scores;
  }

  @Test
  void figuresAreThoseOfTheTokensSoFar() {
    TokenScores scores = scores();
    assertEquals(4, scores.count());
    assertEquals(4, scores.perplexity(), 1e-6);
    assertEquals(0.4375, scores.meanDivergence(), 1e-9);
    assertEquals(0.75, scores.agreement());
    assertEquals(2, scores.countFrom(9));
  }

  @Test
  void aQuantileIsTheDivergenceThatThatManyDoNotExceed() {
    TokenScores scores = scores();
    assertEquals(0, scores.divergence(0.25));
    assertEquals(0.25, scores.divergence(0.26));
    assertEquals(0.5, scores.divergence(0.75));
    assertEquals(1, scores.divergence(0.99));
  }

  @Test
  void divergencesAreAveragedByPosition() {
    assertArrayEquals(
        new double[] {0.375, Double.NaN, 0.5}, scores().divergenceByPosition(4), 1e-9);
  }
}
