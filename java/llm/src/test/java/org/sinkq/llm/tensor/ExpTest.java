package org.sinkq.llm.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class ExpTest {
  @Test
  void expIsWithinAFewUlpOfDouble() {
    for (float x = -Exp.LIMIT; x <= Exp.LIMIT; x += 0.01f) {
      double exact = Math.exp(x);
      assertEquals(exact, Exp.exp(x), 4 * Math.ulp((float) exact), "x=" + x);
    }
    assertEquals(1f, Exp.exp(0));
    assertEquals(0f, Exp.exp(-87.1f));
    assertEquals(0f, Exp.exp(Float.NEGATIVE_INFINITY));
  }

  @Test
  void isWithinAFewUlpOfDouble() {
    for (float x = -60; x <= 60; x += 0.01f) {
      double exact = x / (1 + Math.exp(-x));
      assertEquals(exact, Exp.silu(x), 8 * Math.ulp((float) exact), "x=" + x);
    }
  }

  @Test
  void geluIsItsUsualApproximation() {
    double root = Math.sqrt(2 / Math.PI);
    for (float x = -12; x <= 12; x += 0.01f) {
      double exact = 0.5 * x * (1 + Math.tanh(root * (x + 0.044715 * x * x * x)));
      assertEquals(exact, Exp.gelu(x), 2e-6 * Math.abs(x) + 1e-9, "x=" + x);
    }
    assertEquals(1e6f, Exp.gelu(1e6f));
    assertEquals(0f, Exp.gelu(-1e6f), 1e-30f);
  }

  @Test
  void behavesFarOut() {
    assertEquals(1e6f, Exp.silu(1e6f));
    assertEquals(0f, Exp.silu(-1e6f), 1e-30f);
    assertEquals(0f, Exp.silu(0f));
  }
}
