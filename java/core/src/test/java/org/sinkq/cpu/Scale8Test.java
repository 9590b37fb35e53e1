package org.sinkq.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class Scale8Test {
  @Test
  void everyScaleIsItsOwnNearest() {
    for (int i = 0; i <= 0xf7; i++) {
      assertEquals((byte) i, Scale8.encode(Scale8.decode((byte) i)));
    }
  }

  @ParameterizedTest
  @CsvSource({
    "1.06, 1",
    "1.0625, 1.125",
    "1.9375, 2",
    "0, 0",
    "0x1p-19, 0",
    "0x1p-18, 0x1p-17",
    "61440, 61440",
    "65504, 61440",
    "1e9, 61440"
  })
  void roundsHalfUpAndStaysFinite(float scale, float expected) {
    assertEquals(expected, Scale8.decode(Scale8.encode(scale)));
  }

  @Test
  void isWithinASixteenth() {
    for (float x = 0.001f; x < 60000; x *= 1.001f) {
      float rounded = Scale8.decode(Scale8.encode(x));
      assertTrue(Math.abs(rounded / x - 1) < 1 / 15.9, "scale=" + x + " became " + rounded);
    }
  }
}
