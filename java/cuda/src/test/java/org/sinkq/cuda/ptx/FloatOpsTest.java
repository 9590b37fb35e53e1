package org.sinkq.cuda.ptx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigDecimal;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Floating-point arithmetic in all formats against exact sums and products. */
final class FloatOpsTest {
  private static final int ROWS = 1024;
  private static final long SEED = 7;

  private static long[][] floats(int bits) {
    SplittableRandom random = new SplittableRandom(SEED);
    long[][] rows = new long[ROWS][3];
    for (long[] row : rows) {
      for (int k = 0; k < 3; k++) {
        row[k] = random.nextLong() >>> (64 - bits);
      }
      if (random.nextBoolean()) {
        // Neighbouring exponents, where rounding is decided by a few bits.
        row[1] = (row[0] & ~0xffL) | (row[1] & 0xff);
      }
    }
    return rows;
  }

  private static long[][] columns(long[][] rows, int count) {
    long[][] result = new long[rows.length][];
    for (int i = 0; i < rows.length; i++) {
      result[i] = java.util.Arrays.copyOf(rows[i], count);
    }
    return result;
  }

  @Test
  void singlesToNearest() {
    long[][] rows = floats(32);
    long[] sum = PtxLab.each("add.f32", "f32 f32 f32", columns(rows, 2));
    long[] difference = PtxLab.each("sub.rn.f32", "f32 f32 f32", columns(rows, 2));
    long[] product = PtxLab.each("mul.f32", "f32 f32 f32", columns(rows, 2));
    long[] fused = PtxLab.each("fma.rn.f32", "f32 f32 f32 f32", rows);
    long[] quotient = PtxLab.each("div.rn.f32", "f32 f32 f32", columns(rows, 2));
    long[] root = PtxLab.each("sqrt.rn.f32", "f32 f32", columns(rows, 1));
    for (int i = 0; i < ROWS; i++) {
      float a = Float.intBitsToFloat((int) rows[i][0]);
      float b = Float.intBitsToFloat((int) rows[i][1]);
      float c = Float.intBitsToFloat((int) rows[i][2]);
      same(a + b, sum[i], i);
      same(a - b, difference[i], i);
      same(a * b, product[i], i);
      same(Math.fma(a, b, c), fused[i], i);
      same(a / b, quotient[i], i);
      same((float) Math.sqrt(a), root[i], i);
    }
  }

  private static void same(float expected, long bits, int row) {
    assertEquals(expected, Float.intBitsToFloat((int) bits), "row=" + row + " seed=" + SEED);
  }

  @ParameterizedTest
  @ValueSource(strings = {"rz", "rm", "rp"})
  void singlesInOneDirection(String rounding) {
    long[][] rows = floats(32);
    long[] sum = PtxLab.each("add." + rounding + ".f32", "f32 f32 f32", columns(rows, 2));
    long[] fused = PtxLab.each("fma." + rounding + ".f32", "f32 f32 f32 f32", rows);
    for (int i = 0; i < ROWS; i++) {
      float a = Float.intBitsToFloat((int) rows[i][0]);
      float b = Float.intBitsToFloat((int) rows[i][1]);
      float c = Float.intBitsToFloat((int) rows[i][2]);
      if (Float.isFinite(a) && Float.isFinite(b) && Float.isFinite(c)) {
        BigDecimal x = new BigDecimal(a);
        isNeighbour(x.add(new BigDecimal(b)), sum[i], rounding, i);
        // Below the double range the product is inexact; no kernel multiplies such values.
        if (Math.abs(a * (double) b) > 0x1p-900 || a * (double) b == 0) {
          isNeighbour(x.multiply(new BigDecimal(b)).add(new BigDecimal(c)), fused[i], rounding, i);
        }
      }
    }
  }

  /** Asserts that a float is the first on its side of an exact value. */
  private static void isNeighbour(BigDecimal exact, long bits, String rounding, int row) {
    float got = Float.intBitsToFloat((int) bits);
    boolean down = rounding.equals("rm") || (rounding.equals("rz") && exact.signum() > 0);
    String what = "exact=" + exact + " got=" + got + " row=" + row + " seed=" + SEED;
    if (Float.isInfinite(got)) {
      assertTrue(exact.abs().compareTo(new BigDecimal(Float.MAX_VALUE)) > 0, what);
      return;
    }
    int order = new BigDecimal(got).compareTo(exact);
    float next = down ? Math.nextUp(got) : Math.nextDown(got);
    assertTrue(down ? order <= 0 : order >= 0, what);
    if (order != 0 && Float.isFinite(next)) {
      int other = new BigDecimal(next).compareTo(exact);
      assertTrue(down ? other > 0 : other < 0, what);
    }
  }

  @Test
  void flushAndSaturate() {
    long tiny = Float.floatToRawIntBits(-1e-40f) & 0xffffffffL;
    long[][] rows = {
      {tiny, 0}, {bits(2f), bits(0.5f)}, {bits(-2f), bits(1f)}, {bits(Float.NaN), 0}
    };
    long[] flushed = PtxLab.each("add.ftz.f32", "f32 f32 f32", rows);
    assertEquals(0, (int) flushed[0] & 0x7fffffff);
    assertEquals(2.5f, Float.intBitsToFloat((int) flushed[1]));
    long[] saturated = PtxLab.each("add.sat.f32", "f32 f32 f32", rows);
    assertEquals("[0, " + bits(1f) + ", 0, 0]", java.util.Arrays.toString(saturated));
  }

  private static long bits(float x) {
    return Float.floatToRawIntBits(x) & 0xffffffffL;
  }

  @Test
  void extremesPreferNumbers() {
    long nan = bits(Float.NaN);
    long[][] rows = {{nan, bits(3f)}, {bits(-0f), bits(0f)}, {nan, nan}, {bits(1f), bits(-2f)}};
    long[] max = PtxLab.each("max.f32", "f32 f32 f32", rows);
    long[] min = PtxLab.each("min.f32", "f32 f32 f32", rows);
    long[] strict = PtxLab.each("max.NaN.f32", "f32 f32 f32", rows);
    assertEquals(bits(3f), max[0]);
    assertEquals(0, max[1]);
    assertEquals(0x7fffffffL, max[2]);
    assertEquals(bits(-0f), min[1]);
    assertEquals(bits(-2f), min[3]);
    assertEquals(0x7fffffffL, strict[0]);
  }

  @Test
  void doubles() {
    long[][] rows = floats(64);
    long[] fused = PtxLab.each("fma.rn.f64", "f64 f64 f64 f64", rows);
    for (int i = 0; i < ROWS; i++) {
      assertEquals(
          Math.fma(
              Double.longBitsToDouble(rows[i][0]),
              Double.longBitsToDouble(rows[i][1]),
              Double.longBitsToDouble(rows[i][2])),
          Double.longBitsToDouble(fused[i]));
    }
  }

  /**
   * Halves against exact decimals: each result is the representable value next to the exact one.
   */
  @ParameterizedTest
  @CsvSource({"f16x2", "bf16x2", "f16", "bf16"})
  void halves(String type) {
    Half format = type.startsWith("b") ? Half.BF16 : Half.FP16;
    boolean pair = type.endsWith("x2");
    String operand = pair ? "b32" : "b16";
    long[][] rows = floats(pair ? 32 : 16);
    String three = String.join(" ", operand, operand, operand);
    long[] sum = PtxLab.each("add." + type, three, columns(rows, 2));
    long[] product = PtxLab.each("mul." + type, three, columns(rows, 2));
    long[] fused = PtxLab.each("fma.rn." + type, three + " " + operand, rows);
    for (int i = 0; i < ROWS; i++) {
      for (int shift = 0; shift < (pair ? 32 : 16); shift += 16) {
        float a = format.value((int) (rows[i][0] >>> shift));
        float b = format.value((int) (rows[i][1] >>> shift));
        float c = format.value((int) (rows[i][2] >>> shift));
        if (Float.isFinite(a) && Float.isFinite(b) && Float.isFinite(c)) {
          BigDecimal x = new BigDecimal(a);
          BigDecimal y = new BigDecimal(b);
          isNearest(format, x.add(y), (int) (sum[i] >>> shift), i);
          isNearest(format, x.multiply(y), (int) (product[i] >>> shift), i);
          isNearest(format, x.multiply(y).add(new BigDecimal(c)), (int) (fused[i] >>> shift), i);
        }
      }
    }
  }

  private static void isNearest(Half format, BigDecimal exact, int bits, int row) {
    float got = format.value(bits);
    String what = "exact=" + exact + " got=" + got + " row=" + row + " seed=" + SEED;
    int low = bits & 0x7fff;
    if (Float.isInfinite(got)) {
      BigDecimal limit = new BigDecimal(format.value(low - 1));
      BigDecimal step = limit.subtract(new BigDecimal(format.value(low - 2)));
      BigDecimal half = step.divide(BigDecimal.valueOf(2));
      assertTrue(exact.abs().compareTo(limit.add(half)) >= 0, what);
      return;
    }
    BigDecimal error = exact.abs().subtract(new BigDecimal(Math.abs(got))).abs();
    for (int other : new int[] {low - 1, low + 1}) {
      float value = other < 0 ? -format.value(1) : format.value(other);
      if (Float.isFinite(value)) {
        int order = error.compareTo(exact.abs().subtract(new BigDecimal(value)).abs());
        assertTrue(order < 0 || (order == 0 && (low & 1) == 0), what);
      }
    }
  }

  @Test
  void reluAndSignsOfHalves() {
    long[][] rows = {{0xc000_3c00L, 0x3c00_3c00L, 0}};
    assertEquals(0x0000_3c00L, PtxLab.each("fma.rn.relu.f16x2", "b32 b32 b32 b32", rows)[0]);
    assertEquals(
        0x4000_bc00L, PtxLab.each("neg.f16x2", "b32 b32", new long[][] {{0xc000_3c00L}})[0]);
    assertEquals(
        0x4000_3c00L, PtxLab.each("abs.f16x2", "b32 b32", new long[][] {{0xc000_3c00L}})[0]);
    assertEquals(
        0x3c00_3c00L,
        PtxLab.each("max.f16x2", "b32 b32 b32", new long[][] {{0xc000_3c00L, 0x3c00_0000L}})[0]);
  }

  /** The errors that PTX documents: 2 ulp for ex2, 1 ulp for rcp, 2^-22 for the others. */
  @Test
  void approximationsAreCloseEnough() {
    SplittableRandom random = new SplittableRandom(SEED);
    long[][] rows = new long[ROWS][1];
    for (long[] row : rows) {
      row[0] = bits((float) random.nextDouble(0.001, 30));
    }
    long[] power = PtxLab.each("ex2.approx.ftz.f32", "f32 f32", rows);
    long[] logarithm = PtxLab.each("lg2.approx.f32", "f32 f32", rows);
    long[] reciprocal = PtxLab.each("rcp.approx.f32", "f32 f32", rows);
    long[] root = PtxLab.each("rsqrt.approx.f32", "f32 f32", rows);
    long[] tangent = PtxLab.each("tanh.approx.f32", "f32 f32", rows);
    for (int i = 0; i < ROWS; i++) {
      double x = Float.intBitsToFloat((int) rows[i][0]);
      close(Math.pow(2, x), power[i], 2);
      close(1 / x, reciprocal[i], 1);
      close(1 / Math.sqrt(x), root[i], 2);
      close(Math.tanh(x), tangent[i], 2);
      assertEquals(
          Math.log(x) / Math.log(2), Float.intBitsToFloat((int) logarithm[i]), 0x1p-22, "x=" + x);
    }
    long[] edges =
        PtxLab.each(
            "ex2.approx.ftz.f32",
            "f32 f32",
            new long[][] {
              {bits(Float.NEGATIVE_INFINITY)}, {bits(200f)}, {bits(-130f)}, {bits(0f)}
            });
    assertEquals("[0, 2139095040, 0, 1065353216]", java.util.Arrays.toString(edges));
  }

  private static void close(double expected, long bits, int ulps) {
    assertEquals(
        expected,
        Float.intBitsToFloat((int) bits),
        ulps * Math.ulp((float) expected),
        "seed=" + SEED);
  }
}
