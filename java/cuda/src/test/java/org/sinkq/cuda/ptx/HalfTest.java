package org.sinkq.cuda.ptx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** Conversions of the 16-bit formats, exhaustively. */
final class HalfTest {
  @Test
  void everyFp16ValueComesBack() {
    for (int bits = 0; bits < 1 << 16; bits++) {
      float value = Half.FP16.value(bits);
      assertEquals(fp16(bits), value, 0.0, "bits=" + bits);
      int expected = Float.isNaN(value) ? 0x7fff : bits;
      if (!Float.isNaN(value)) {
        assertEquals(expected, Half.FP16.round(value), "bits=" + bits);
      }
      for (Half.Rounding rounding : Half.Rounding.values()) {
        assertEquals(expected, Half.FP16.round(value, rounding), "bits=" + bits);
      }
    }
  }

  /** The definition: sign, five bits of exponent, ten of fraction. */
  private static double fp16(int bits) {
    int exponent = bits >> 10 & 31;
    int fraction = bits & 0x3ff;
    double magnitude =
        exponent == 31
            ? (fraction == 0 ? Double.POSITIVE_INFINITY : Double.NaN)
            : exponent == 0
                ? Math.scalb(fraction, -24)
                : Math.scalb(1024 + fraction, exponent - 25);
    return (bits & 0x8000) != 0 ? -magnitude : magnitude;
  }

  @Test
  void everyBf16ValueComesBack() {
    for (int bits = 0; bits < 1 << 16; bits++) {
      float value = Half.BF16.value(bits);
      assertEquals(bits << 16, Float.floatToRawIntBits(value));
      if (!Float.isNaN(value)) {
        assertEquals(bits, Half.BF16.round(value), "bits=" + bits);
        assertEquals(bits, Half.BF16.round(value, Half.Rounding.UP), "bits=" + bits);
      }
    }
  }

  @Test
  void roundsBetweenAllNeighbours() {
    roundsBetweenAllNeighbours(Half.FP16, 0x7c00);
    roundsBetweenAllNeighbours(Half.BF16, 0x7f80);
  }

  private static void roundsBetweenAllNeighbours(Half format, int infinity) {
    for (int low = 0; low < infinity - 1; low++) {
      double below = format.value(low);
      double above = format.value(low + 1);
      double middle = (below + above) / 2;
      int even = (low & 1) == 0 ? low : low + 1;
      String where = "low=" + low;
      assertEquals(even, format.round(middle), where);
      assertEquals(low, format.round(Math.nextDown(middle)), where);
      assertEquals(low + 1, format.round(Math.nextUp(middle)), where);
      assertEquals(low, format.round(middle, Half.Rounding.TO_ZERO), where);
      assertEquals(low, format.round(middle, Half.Rounding.DOWN), where);
      assertEquals(low + 1, format.round(middle, Half.Rounding.UP), where);
      assertEquals(0x8000 | even, format.round(-middle), where);
      assertEquals(0x8000 | low, format.round(-middle, Half.Rounding.TO_ZERO), where);
      assertEquals(0x8000 | (low + 1), format.round(-middle, Half.Rounding.DOWN), where);
      assertEquals(0x8000 | low, format.round(-middle, Half.Rounding.UP), where);
    }
  }

  @Test
  void overflowGoesWhereTheRoundingPoints() {
    assertEquals(0x7bff, Half.FP16.round(65519.9));
    assertEquals(0x7c00, Half.FP16.round(65520));
    assertEquals(0x7bff, Half.FP16.round(1e9, Half.Rounding.TO_ZERO));
    assertEquals(0x7bff, Half.FP16.round(1e9, Half.Rounding.DOWN));
    assertEquals(0x7c00, Half.FP16.round(1e9, Half.Rounding.UP));
    assertEquals(0xfc00, Half.FP16.round(-1e9, Half.Rounding.DOWN));
    assertEquals(0xfbff, Half.FP16.round(-1e9, Half.Rounding.UP));
    assertEquals(0x7c00, Half.FP16.round(Double.POSITIVE_INFINITY, Half.Rounding.TO_ZERO));
    assertTrue(Float.isNaN(Half.FP16.value(Half.FP16.round(Double.NaN, Half.Rounding.UP))));
  }
}
