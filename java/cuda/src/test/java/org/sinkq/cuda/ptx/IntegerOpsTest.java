package org.sinkq.cuda.ptx;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.math.BigInteger;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Integer instructions against big integers, on random and extreme operands. */
final class IntegerOpsTest {
  private static final int ROWS = 512;
  private static final long SEED = 42;

  /** The operands of one execution, as the instruction's type reads them. */
  private interface Expected {
    BigInteger of(BigInteger a, BigInteger b, BigInteger c);
  }

  private static long[][] rows(int bits) {
    SplittableRandom random = new SplittableRandom(SEED);
    long[] special = {0, 1, -1, 2, Long.MAX_VALUE >>> (64 - bits), Long.MIN_VALUE >> (64 - bits)};
    long[][] rows = new long[ROWS][3];
    for (long[] row : rows) {
      for (int k = 0; k < 3; k++) {
        row[k] =
            random.nextInt(3) == 0
                ? special[random.nextInt(special.length)]
                : random.nextLong() >> random.nextInt(64);
      }
    }
    return rows;
  }

  private static BigInteger read(long x, int bits, boolean signed) {
    BigInteger all = BigInteger.valueOf(x).mod(BigInteger.ONE.shiftLeft(bits));
    return signed && all.testBit(bits - 1) ? all.subtract(BigInteger.ONE.shiftLeft(bits)) : all;
  }

  private static void check(String op, int bits, boolean signed, int resultBits, Expected f) {
    int sources = op.startsWith("mad") || op.startsWith("sad") ? 3 : isUnary(op) ? 1 : 2;
    String type = " b" + bits;
    boolean wide = op.contains("wide");
    String types =
        "b"
            + resultBits
            + type.repeat(Math.min(sources, 2))
            + (sources == 3 ? wide ? " b" + resultBits : type : "");
    long[][] all = rows(bits);
    long[][] rows = new long[ROWS][];
    for (int i = 0; i < ROWS; i++) {
      rows[i] = java.util.Arrays.copyOf(all[i], sources);
    }
    long[] got = PtxLab.each(op + "." + (signed ? "s" : "u") + bits, types, rows);
    for (int i = 0; i < ROWS; i++) {
      BigInteger a = read(all[i][0], bits, signed);
      BigInteger b = read(all[i][1], bits, signed);
      BigInteger c = read(all[i][2], wide ? resultBits : bits, signed);
      BigInteger want = f.of(a, b, c);
      if (want != null) {
        assertEquals(
            read(want.longValue(), resultBits, false),
            read(got[i], resultBits, false),
            "op=%s.%d signed=%b a=%s b=%s c=%s seed=%d".formatted(op, bits, signed, a, b, c, SEED));
      }
    }
  }

  private static boolean isUnary(String op) {
    return switch (op) {
      case "abs", "neg", "popc", "clz", "brev", "bfind", "bfind.shiftamt" -> true;
      default -> false;
    };
  }

  @ParameterizedTest
  @CsvSource({"16,true", "16,false", "32,true", "32,false", "64,true", "64,false"})
  void arithmetic(int bits, boolean signed) {
    check("add", bits, signed, bits, (a, b, c) -> a.add(b));
    check("sub", bits, signed, bits, (a, b, c) -> a.subtract(b));
    check("mul.lo", bits, signed, bits, (a, b, c) -> a.multiply(b));
    check("mul.hi", bits, signed, bits, (a, b, c) -> a.multiply(b).shiftRight(bits));
    check("mad.lo", bits, signed, bits, (a, b, c) -> a.multiply(b).add(c));
    check("mad.hi", bits, signed, bits, (a, b, c) -> a.multiply(b).shiftRight(bits).add(c));
    check("min", bits, signed, bits, (a, b, c) -> a.min(b));
    check("max", bits, signed, bits, (a, b, c) -> a.max(b));
    // Division by zero is undefined.
    check("div", bits, signed, bits, (a, b, c) -> b.signum() == 0 ? null : a.divide(b));
    check("rem", bits, signed, bits, (a, b, c) -> b.signum() == 0 ? null : a.remainder(b));
    if (bits < 64) {
      check("mul.wide", bits, signed, 2 * bits, (a, b, c) -> a.multiply(b));
      check("mad.wide", bits, signed, 2 * bits, (a, b, c) -> a.multiply(b).add(c));
      check("sad", bits, signed, bits, (a, b, c) -> a.subtract(b).abs().add(c));
    }
    if (signed) {
      check("abs", bits, true, bits, (a, b, c) -> a.abs());
      check("neg", bits, true, bits, (a, b, c) -> a.negate());
    }
  }

  @Test
  void saturatingAddAndSubtract() {
    BigInteger max = BigInteger.valueOf(Integer.MAX_VALUE);
    BigInteger min = BigInteger.valueOf(Integer.MIN_VALUE);
    check("add.sat", 32, true, 32, (a, b, c) -> a.add(b).min(max).max(min));
    check("sub.sat", 32, true, 32, (a, b, c) -> a.subtract(b).min(max).max(min));
  }

  @ParameterizedTest
  @CsvSource({"32", "64"})
  void findsTheLeadingBit(int bits) {
    check("bfind", bits, false, 32, (a, b, c) -> BigInteger.valueOf(a.bitLength() - 1));
    check("bfind", bits, true, 32, (a, b, c) -> BigInteger.valueOf(a.bitLength() - 1));
    check(
        "bfind.shiftamt",
        bits,
        false,
        32,
        (a, b, c) -> BigInteger.valueOf(a.signum() == 0 ? -1 : bits - a.bitLength()));
  }

  @Test
  void countsBits() {
    long[][] rows = {{0}, {1}, {0x80000000L}, {0xffffffffL}, {0x00f0_0100L}};
    assertEquals("[0, 1, 1, 32, 5]", text(PtxLab.each("popc.b32", "b32 b32", rows)));
    assertEquals("[32, 31, 0, 0, 8]", text(PtxLab.each("clz.b32", "b32 b32", rows)));
    assertEquals(
        "[0, 2147483648, 1, 4294967295, 8392448]", text(PtxLab.each("brev.b32", "b32 b32", rows)));
    assertEquals("[64, 63, 32, 32, 40]", text(PtxLab.each("clz.b64", "b32 b64", rows)));
    assertEquals("[0, 1, 1, 32, 5]", text(PtxLab.each("popc.b64", "b32 b64", rows)));
  }

  private static String text(long[] values) {
    return java.util.Arrays.toString(values);
  }

  @Test
  void addsFourByteProducts() {
    long[][] rows = {{0x01ff_0280L, 0x0303_0303L, 10}};
    // Bytes of a: 0x80, 2, 0xff, 1.
    assertEquals(
        10 + 3 * (-128 + 2 - 1 + 1), (int) PtxLab.each("dp4a.s32.s32", "b32 b32 b32 b32", rows)[0]);
    assertEquals(
        10 + 3 * (128 + 2 + 255 + 1), PtxLab.each("dp4a.u32.u32", "b32 b32 b32 b32", rows)[0]);
  }

  /** A 128-bit sum and product from carries. */
  @Test
  void carriesAreHandedOn() {
    SplittableRandom random = new SplittableRandom(SEED);
    long[][] rows = new long[256][4];
    for (long[] row : rows) {
      for (int k = 0; k < 4; k++) {
        row[k] = random.nextInt(4) == 0 ? -1 : random.nextLong();
      }
    }
    long[] sums =
        PtxLab.sequence(
            """
            .reg .b64 %low;
            add.cc.u64 %low, %a, %c;
            addc.u64 %d, %b, %e;
            """,
            "b64 b64 b64 b64 b64", rows);
    long[] differences =
        PtxLab.sequence(
            """
            .reg .b64 %low;
            sub.cc.u64 %low, %a, %c;
            subc.u64 %d, %b, %e;
            """,
            "b64 b64 b64 b64 b64", rows);
    for (int i = 0; i < rows.length; i++) {
      BigInteger x = wide(rows[i][1], rows[i][0]);
      BigInteger y = wide(rows[i][3], rows[i][2]);
      assertEquals(x.add(y).shiftRight(64).longValue(), sums[i], "row=" + i + " seed=" + SEED);
      assertEquals(
          x.subtract(y).shiftRight(64).longValue(), differences[i], "row=" + i + " seed=" + SEED);
    }
  }

  @Test
  void carriesOf32Bits() {
    long[][] rows = {{0xffff_ffffL, 1, 5, 7}, {1, 1, 5, 7}, {0xffff_ffffL, 0xffff_ffffL, 0, 0}};
    long[] sums =
        PtxLab.sequence(
            """
            .reg .b32 %low;
            add.cc.u32 %low, %a, %b;
            addc.u32 %d, %c, %e;
            """,
            "b32 b32 b32 b32 b32", rows);
    assertEquals("[13, 12, 1]", text(sums));
    long[] products =
        PtxLab.sequence(
            """
            .reg .b32 %low;
            mad.lo.cc.u32 %low, %a, %b, %c;
            madc.hi.u32 %d, %a, %b, %e;
            """,
            "b32 b32 b32 b32 b32", rows);
    assertEquals("[8, 7, 4294967294]", text(products));
  }

  private static BigInteger wide(long high, long low) {
    return read(high, 64, false).shiftLeft(64).add(read(low, 64, false));
  }
}
