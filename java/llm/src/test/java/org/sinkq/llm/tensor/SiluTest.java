package org.sinkq.llm.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class SiluTest {
  @Test
  void isWithinAFewUlpOfDouble() {
    for (float x = -60; x <= 60; x += 0.01f) {
      double exact = x / (1 + Math.exp(-x));
      assertEquals(exact, Silu.silu(x), 8 * Math.ulp((float) exact), "x=" + x);
    }
  }

  @Test
  void behavesFarOut() {
    assertEquals(1e6f, Silu.silu(1e6f));
    assertEquals(0f, Silu.silu(-1e6f), 1e-30f);
    assertEquals(0f, Silu.silu(0f));
  }
}
