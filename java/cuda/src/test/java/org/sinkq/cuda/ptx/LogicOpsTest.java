package org.sinkq.cuda.ptx;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Logic, shifts, bit fields, byte permutation, and the moves between registers. */
final class LogicOpsTest {
  private static final long SEED = 3;
  private static final int ROWS = 256;

  /** One lane of 32 bits. */
  private interface Expected {
    long of(int a, int b, int c);
  }

  private static void check(String op, Expected f) {
    SplittableRandom random = new SplittableRandom(SEED);
    long[][] rows = new long[ROWS][3];
    for (long[] row : rows) {
      row[0] = random.nextInt() & 0xffffffffL;
      row[1] = (random.nextBoolean() ? random.nextInt() : random.nextInt(70)) & 0xffffffffL;
      row[2] = (random.nextBoolean() ? random.nextInt() : random.nextInt(70)) & 0xffffffffL;
    }
    long[] got = PtxLab.each(op, "b32 b32 b32 b32", rows);
    for (int i = 0; i < ROWS; i++) {
      long want = f.of((int) rows[i][0], (int) rows[i][1], (int) rows[i][2]) & 0xffffffffL;
      assertEquals(want, got[i], op + " row=" + i + " seed=" + SEED);
    }
  }

  private static void check2(String op, Expected f) {
    SplittableRandom random = new SplittableRandom(SEED);
    long[][] rows = new long[ROWS][2];
    for (long[] row : rows) {
      row[0] = random.nextInt() & 0xffffffffL;
      row[1] = (random.nextBoolean() ? random.nextInt() : random.nextInt(70)) & 0xffffffffL;
    }
    long[] got = PtxLab.each(op, "b32 b32 b32", rows);
    for (int i = 0; i < ROWS; i++) {
      long want = f.of((int) rows[i][0], (int) rows[i][1], 0) & 0xffffffffL;
      assertEquals(want, got[i], op + " row=" + i + " seed=" + SEED);
    }
  }

  @Test
  void bitwise() {
    check2("and.b32", (a, b, c) -> a & b);
    check2("or.b32", (a, b, c) -> a | b);
    check2("xor.b32", (a, b, c) -> a ^ b);
    long[][] wide = {{0xf0f0_f0f0_f0f0_f0f0L, 0xff00_ff00_ff00_ff00L}};
    assertEquals(0xf000_f000_f000_f000L, PtxLab.each("and.b64", "b64 b64 b64", wide)[0]);
    assertEquals(0xff0f, PtxLab.each("not.b16", "b16 b16", new long[][] {{0xf0}})[0]);
    assertEquals(1, PtxLab.each("cnot.b32", "b32 b32", new long[][] {{0}})[0]);
  }

  /** A truth table, row by row: bit 4 a + 2 b + c of the immediate. */
  @Test
  void everyFunctionOfThreeBits() {
    int a = 0xf0;
    int b = 0xcc;
    int c = 0xaa;
    for (int table = 0; table < 256; table++) {
      assertEquals(table, LogicOps.lop3(a, b, c, table) & 0xff);
    }
    long[][] rows = {{0xf0, 0xcc, 0xaa}};
    for (int table : new int[] {0xEA, 0x80, 0x96, 0x01}) {
      long[] got =
          PtxLab.sequence("lop3.b32 %d, %a, %b, %c, " + table + ";", "b32 b32 b32 b32", rows);
      assertEquals(table, got[0] & 0xff);
    }
  }

  @Test
  void shiftsClampTheirAmount() {
    check2("shl.b32", (a, b, c) -> Integer.compareUnsigned(b, 31) > 0 ? 0 : a << b);
    check2("shr.u32", (a, b, c) -> Integer.compareUnsigned(b, 31) > 0 ? 0 : a >>> b);
    check2("shr.s32", (a, b, c) -> Integer.compareUnsigned(b, 31) > 0 ? a >> 31 : a >> b);
    check("shf.l.wrap.b32", (a, b, c) -> (c & 31) == 0 ? b : b << (c & 31) | a >>> (32 - (c & 31)));
    check("shf.r.wrap.b32", (a, b, c) -> (c & 31) == 0 ? a : a >>> (c & 31) | b << (32 - (c & 31)));
    check(
        "shf.l.clamp.b32",
        (a, b, c) -> Integer.compareUnsigned(c, 31) > 0 ? a : c == 0 ? b : b << c | a >>> (32 - c));
    check(
        "shf.r.clamp.b32",
        (a, b, c) -> Integer.compareUnsigned(c, 31) > 0 ? b : c == 0 ? a : a >>> c | b << (32 - c));
    long[][] wide = {{0x8000_0000_0000_0001L, 4}, {1, 64}};
    assertEquals(0x10, PtxLab.each("shl.b64", "b64 b64 b32", wide)[0]);
    assertEquals(0xf800_0000_0000_0000L, PtxLab.each("shr.s64", "b64 b64 b32", wide)[0]);
    assertEquals(0, PtxLab.each("shl.b64", "b64 b64 b32", wide)[1]);
    assertEquals(0xff80, PtxLab.each("shr.s16", "b16 b16 b32", new long[][] {{0xf800, 4}})[0]);
  }

  @Test
  void permutesBytesAndSigns() {
    assertEquals(0x3322_1100, LogicOps.permute(0x3322_1100, 0x7766_5544, 0x3210));
    assertEquals(0x7700_6644, LogicOps.permute(0x3322_1100, 0x7766_5544, 0x7064));
    // Nibbles 8 to f replicate the sign of a byte.
    assertEquals(0xff00_ff00, LogicOps.permute(0x80_7f_80_7f, 0, 0x9898 | 0));
    check("prmt.b32", (a, b, c) -> LogicOps.permute(a, b, c));
  }

  @Test
  void fieldsAreExtractedAndInserted() {
    long[][] rows = {{0xabcd_ef12L, 8, 12}, {0x8000_0000L, 28, 8}, {0xffffL, 0, 0}, {1, 40, 4}};
    assertEquals("[3567, 8, 0, 0]", text(PtxLab.each("bfe.u32", "b32 b32 b32 b32", rows)));
    assertEquals(
        "[4294966767, 4294967288, 0, 0]", text(PtxLab.each("bfe.s32", "b32 b32 b32 b32", rows)));
    long[][] insert = {{0x5, 0xffff_ffffL, 8, 4}, {0x5, 0, 30, 8}, {0x5, 7, 0, 0}};
    assertEquals(
        "[4294964735, 1073741824, 7]", text(PtxLab.each("bfi.b32", "b32 b32 b32 b32 b32", insert)));
  }

  private static String text(long[] values) {
    return java.util.Arrays.toString(values);
  }

  @Test
  void movesPackAndUnpack() {
    long[][] rows = {{0x1234, 0xabcd}};
    assertEquals(0xabcd_1234L, PtxLab.sequence("mov.b32 %d, {%a, %b};", "b32 b16 b16", rows)[0]);
    assertEquals(
        0x8765_4321_abcd_1234L,
        PtxLab.sequence(
            "mov.b64 %d, {%a, %b};", "b64 b32 b32", new long[][] {{0xabcd_1234L, 0x8765_4321L}})[
            0]);
    assertEquals(
        0xabcd,
        PtxLab.sequence("mov.b32 {%h1, %d}, %a;", "b16 b32", new long[][] {{0xabcd_1234L}})[0]);
    assertEquals(
        0x8765_4321L,
        PtxLab.sequence(
            "mov.b64 {%r9, %d}, %a;", "b32 b64", new long[][] {{0x8765_4321_abcd_1234L}})[0]);
    assertEquals(
        9,
        PtxLab.sequence("selp.b32 %d, %a, %b, %c;", "b32 b32 b32 pred", new long[][] {{8, 9, 0}})[
            0]);
    assertEquals(
        8,
        PtxLab.sequence(
            "slct.b32.s32 %d, %a, %b, %c;", "b32 b32 b32 b32", new long[][] {{8, 9, 0}})[0]);
  }

  @Test
  void comparisonsCombine() {
    long nan = Float.floatToRawIntBits(Float.NaN);
    long one = Float.floatToRawIntBits(1f);
    long[][] rows = {{one, one}, {nan, one}, {0, one}};
    assertEquals("[1, 0, 0]", text(PtxLab.each("setp.eq.f32", "pred f32 f32", rows)));
    assertEquals("[0, 0, 1]", text(PtxLab.each("setp.ne.f32", "pred f32 f32", rows)));
    assertEquals("[0, 1, 1]", text(PtxLab.each("setp.neu.f32", "pred f32 f32", rows)));
    assertEquals("[1, 1, 1]", text(PtxLab.each("setp.leu.f32", "pred f32 f32", rows)));
    assertEquals("[0, 1, 0]", text(PtxLab.each("setp.nan.f32", "pred f32 f32", rows)));
    long[][] ints = {{0xffff_ffffL, 1}, {1, 1}, {0, 1}};
    assertEquals("[1, 0, 1]", text(PtxLab.each("setp.lt.s32", "pred b32 b32", ints)));
    assertEquals("[0, 0, 1]", text(PtxLab.each("setp.lt.u32", "pred b32 b32", ints)));
    assertEquals("[1, 1, 0]", text(PtxLab.each("setp.hs.u32", "pred b32 b32", ints)));
    long[][] combined = {{5, 5, 1}, {5, 5, 0}, {5, 6, 1}};
    assertEquals(
        "[1, 0, 0]",
        text(PtxLab.sequence("setp.eq.and.s32 %d, %a, %b, %c;", "pred b32 b32 pred", combined)));
    assertEquals(
        "[0, 1, 0]",
        text(PtxLab.sequence("setp.eq.and.s32 %d, %a, %b, !%c;", "pred b32 b32 pred", combined)));
    assertEquals(
        "[0, 0, 1]",
        text(PtxLab.sequence("setp.eq.s32 %p1|%d, %a, %b;", "pred b32 b32 pred", combined)));
    long[][] pairs = {{0x3c00_4000L, 0x3c00_3c00L}};
    assertEquals(0x3c00, PtxLab.each("set.gt.f16x2.f16x2", "b32 b32 b32", pairs)[0]);
    assertEquals(0xffffL, PtxLab.each("set.gt.u32.f16x2", "b32 b32 b32", pairs)[0]);
  }
}
