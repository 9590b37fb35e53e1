package org.sinkq.cuda.ptx;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** cvt: exhaustively from 16 bits, on chosen and random values from more. */
final class ConvertOpsTest {
  private static final long SEED = 11;

  private static long[][] column(long... values) {
    long[][] rows = new long[values.length][];
    for (int i = 0; i < rows.length; i++) {
      rows[i] = new long[] {values[i]};
    }
    return rows;
  }

  private static long[][] all16() {
    long[][] rows = new long[1 << 16][1];
    for (int i = 0; i < rows.length; i++) {
      rows[i][0] = i;
    }
    return rows;
  }

  @Test
  void everyHalfToSingleAndBack() {
    long[] singles = PtxLab.each("cvt.f32.f16", "f32 b16", all16());
    long[] brains = PtxLab.each("cvt.f32.bf16", "f32 b16", all16());
    for (int i = 0; i < singles.length; i++) {
      float value = Float.float16ToFloat((short) i);
      assertEquals(value, Float.intBitsToFloat((int) singles[i]), "bits=" + i);
      assertEquals(Float.intBitsToFloat(i << 16), Float.intBitsToFloat((int) brains[i]));
    }
    long[] back = PtxLab.each("cvt.rn.f16.f32", "b16 f32", column(singles));
    for (int i = 0; i < back.length; i++) {
      if (!Float.isNaN(Float.float16ToFloat((short) i))) {
        assertEquals(i, back[i]);
      } else {
        assertEquals(0x7fff, back[i]);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"rn,NEAREST_EVEN", "rz,TO_ZERO"})
  void singleToHalves(String name, Half.Rounding rounding) {
    SplittableRandom random = new SplittableRandom(SEED);
    long[][] rows = new long[1024][2];
    for (long[] row : rows) {
      row[0] = bits((float) random.nextGaussian() * Math.scalb(1f, random.nextInt(-30, 18)));
      row[1] = bits((float) random.nextGaussian());
    }
    long[] pairs = PtxLab.each("cvt." + name + ".f16x2.f32", "b32 f32 f32", rows);
    long[] brains = PtxLab.each("cvt." + name + ".bf16x2.f32", "b32 f32 f32", rows);
    for (int i = 0; i < rows.length; i++) {
      float high = Float.intBitsToFloat((int) rows[i][0]);
      float low = Float.intBitsToFloat((int) rows[i][1]);
      assertEquals(
          Half.FP16.round(low, rounding) | (long) Half.FP16.round(high, rounding) << 16,
          pairs[i],
          "seed=" + SEED);
      assertEquals(
          Half.BF16.round(low, rounding) | (long) Half.BF16.round(high, rounding) << 16,
          brains[i],
          "seed=" + SEED);
    }
  }

  private static long bits(float x) {
    return Float.floatToRawIntBits(x) & 0xffffffffL;
  }

  private static String text(long... values) {
    return java.util.Arrays.toString(values);
  }

  @Test
  void integersAreExtendedOrCut() {
    long[][] rows = column(0xffff_ff80L, 0x7f, 0x8000, 0x1_2345);
    assertEquals(
        text(-128, 127, 0x8000, 0x1_2345), text(PtxLab.each("cvt.s64.s32", "b64 b32", rows)));
    assertEquals(
        text(0xffff_ff80L, 127, 0x8000, 0x1_2345),
        text(PtxLab.each("cvt.u64.u32", "b64 b32", rows)));
    assertEquals(
        text(0xff80, 0x7f, 0x8000, 0x2345), text(PtxLab.each("cvt.u16.u32", "b16 b32", rows)));
    assertEquals(
        text(0xffff_ff80L, 0x7f, 0xffff_8000L, 0x2345),
        text(PtxLab.sequence("cvt.u16.u32 %h1, %a; cvt.s32.s16 %d, %h1;", "b32 b32", rows)));
    assertEquals(
        text(0xffff_ff80L, 0x7f, 0, 0x45), text(PtxLab.each("cvt.s32.s8", "b32 b32", rows)));
    assertEquals(text(0, 127, 255, 255), text(PtxLab.each("cvt.sat.u8.s32", "b32 b32", rows)));
  }

  @Test
  void floatsToIntegers() {
    long[][] rows =
        column(bits(2.5f), bits(-2.5f), bits(3e9f), bits(-3e9f), bits(Float.NaN), bits(3.5f));
    assertEquals(
        text(2, 0xffff_fffeL, 0x7fff_ffffL, 0x8000_0000L, 0, 4),
        text(PtxLab.each("cvt.rni.s32.f32", "b32 f32", rows)));
    assertEquals(
        text(2, 0xffff_fffeL, 0x7fff_ffffL, 0x8000_0000L, 0, 3),
        text(PtxLab.each("cvt.rzi.s32.f32", "b32 f32", rows)));
    assertEquals(
        text(2, 0xffff_fffdL, 0x7fff_ffffL, 0x8000_0000L, 0, 3),
        text(PtxLab.each("cvt.rmi.s32.f32", "b32 f32", rows)));
    assertEquals(
        text(3, 0, 3_000_000_000L, 0, 0, 4), text(PtxLab.each("cvt.rpi.u32.f32", "b32 f32", rows)));
    assertEquals(
        text(2, -2, 3_000_000_000L, -3_000_000_000L, 0, 3),
        text(PtxLab.each("cvt.rzi.s64.f32", "b64 f32", rows)));
    assertEquals(
        text(bits(2f), bits(-2f), bits(3e9f), bits(-3e9f), 0x7fffffffL, bits(4f)),
        text(PtxLab.each("cvt.rni.f32.f32", "f32 f32", rows)));
  }

  @Test
  void integersToFloats() {
    long[][] rows = column(0x7fff_ffffL, 0xffff_ffffL, 16_777_217);
    assertEquals(
        text(bits(0x1p31f), bits(-1f), bits(16_777_216f)),
        text(PtxLab.each("cvt.rn.f32.s32", "f32 b32", rows)));
    assertEquals(
        text(bits(0x1p31f), bits(0x1p32f), bits(16_777_216f)),
        text(PtxLab.each("cvt.rn.f32.u32", "f32 b32", rows)));
    long[][] wide = column(-1L, Long.MAX_VALUE, (1L << 54) + 1, (1L << 40) + (1L << 16) + 1);
    assertEquals(
        text(bits(0x1p64f), bits(0x1p63f), bits(0x1p54f), bits(0x1p40f + 0x1p17f)),
        text(PtxLab.each("cvt.rn.f32.u64", "f32 b64", wide)));
    assertEquals(
        text(Double.doubleToRawLongBits(0x1p64), Double.doubleToRawLongBits(-1.0)),
        text(
            PtxLab.each("cvt.rn.f64.u64", "f64 b64", column(-1L))[0],
            PtxLab.each("cvt.rn.f64.s64", "f64 b64", column(-1L))[0]));
    assertEquals(
        text(0x7bff, 0x7c00, 0x5640),
        text(PtxLab.each("cvt.rn.f16.s32", "b16 b32", column(65504, 70000, 100))));
  }

  @Test
  void packsSaturated() {
    long[][] rows = {{300, -5, 0x1234}, {-300, 100, 0}};
    long[] packed = PtxLab.each("cvt.pack.sat.s8.s32.b32", "b32 b32 b32 b32", rows);
    assertEquals(0x1234_7ffbL, packed[0]);
    assertEquals(0x8064, packed[1]);
  }
}
