package org.sinkq.cuda.ptx;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.IntUnaryOperator;
import java.util.stream.Stream;

/**
 * The instructions of the shipped kernels, each on random operands, with the results that its
 * definition gives. Both devices have to agree with them, and so with each other: the interpreter
 * in {@link PtxCaseTest}, a GPU in {@code DevicePtxTest}. Subnormals, infinities and NaNs are among
 * the operands wherever a kernel could meet them.
 */
public final class PtxCases {
  private static final int ROWS = 1024;
  private static final int[] EDGES = {
    0, 1, -1, Integer.MAX_VALUE, Integer.MIN_VALUE, 31, 32, 0xffff
  };

  private final SplittableRandom random = new SplittableRandom(26);
  private final List<PtxCase> cases = new ArrayList<>();

  private PtxCases() {}

  /** All of them. */
  public static Stream<PtxCase> all() {
    PtxCases all = new PtxCases();
    all.integers();
    all.comparisons();
    all.singles();
    all.halves();
    all.conversions();
    all.approximations();
    new WarpCases(all.random, all.cases).add();
    return all.cases.stream();
  }

  /** The result for one row of operands. */
  private interface Definition {
    long of(long[] row);
  }

  private interface Operands {
    long next(int index);
  }

  private void add(
      String op, String types, Operands operands, Definition definition, PtxCase.Match match) {
    int sources = types.split(" ", -1).length - 1;
    long[][] rows = new long[ROWS][sources];
    for (long[] row : rows) {
      for (int k = 0; k < sources; k++) {
        row[k] = operands.next(k);
      }
    }
    long[] expected = Arrays.stream(rows).mapToLong(definition::of).toArray();
    PtxLab.Program program = PtxLab.program(PtxLab.instruction(op, types), types, rows);
    cases.add(new PtxCase(op, WarpCases.forAmpere(program), expected, match));
  }

  private long integer() {
    int x = random.nextInt();
    return (random.nextInt(4) == 0 ? EDGES[x & 7] : x >> random.nextInt(32)) & 0xffffffffL;
  }

  private void ints(String op, int sources, Definition definition) {
    String types = "b32" + " b32".repeat(sources);
    add(op, types, k -> integer(), row -> definition.of(row) & 0xffffffffL, PtxCase.BITS);
  }

  private void integers() {
    ints("add.s32", 2, r -> r[0] + r[1]);
    ints("sub.s32", 2, r -> r[0] - r[1]);
    ints("neg.s32", 1, r -> -r[0]);
    ints("mul.lo.s32", 2, r -> r[0] * r[1]);
    ints("mul.hi.s32", 2, r -> ((long) (int) r[0] * (int) r[1]) >> 32);
    ints("mad.lo.s32", 3, r -> r[0] * r[1] + r[2]);
    ints("dp4a.u32.u32", 3, PtxCases::bytesTimesBytes);
    ints("min.s32", 2, r -> Math.min((int) r[0], (int) r[1]));
    ints("max.s32", 2, r -> Math.max((int) r[0], (int) r[1]));
    ints("min.u32", 2, r -> Math.min(r[0], r[1]));
    ints("max.u32", 2, r -> Math.max(r[0], r[1]));
    ints("and.b32", 2, r -> r[0] & r[1]);
    ints("or.b32", 2, r -> r[0] | r[1]);
    ints("xor.b32", 2, r -> r[0] ^ r[1]);
    ints("not.b32", 1, r -> ~r[0]);
    ints("brev.b32", 1, r -> Integer.reverse((int) r[0]));
    ints("popc.b32", 1, r -> Long.bitCount(r[0]));
    ints("bfind.shiftamt.u32", 1, r -> r[0] == 0 ? -1 : Integer.numberOfLeadingZeros((int) r[0]));
    ints("prmt.b32", 3, PtxCases::permuted);
    ints("bfi.b32", 4, PtxCases::inserted);
    Operands amounts = k -> k == 0 ? integer() : random.nextInt(40);
    String three = "b32 b32 b32";
    add("shl.b32", three, amounts, r -> r[1] > 31 ? 0 : r[0] << r[1] & 0xffffffffL, PtxCase.BITS);
    add("shr.u32", three, amounts, r -> r[1] > 31 ? 0 : r[0] >>> r[1], PtxCase.BITS);
    add(
        "shr.s32",
        three,
        amounts,
        r -> (int) r[0] >> Math.min(r[1], 31) & 0xffffffffL,
        PtxCase.BITS);
    Operands divisors = k -> k == 0 ? integer() & 0x7fffffff : 1 + random.nextInt(1 << 20);
    add("div.s32", three, divisors, r -> r[0] / r[1], PtxCase.BITS);
    add("rem.s32", three, divisors, r -> r[0] % r[1], PtxCase.BITS);
    add(
        "mul.wide.s32",
        "b64 b32 b32",
        k -> integer(),
        r -> (long) (int) r[0] * (int) r[1],
        PtxCase.BITS);
    add("mul.wide.u32", "b64 b32 b32", k -> integer(), r -> r[0] * r[1], PtxCase.BITS);
    Operands longs = k -> random.nextLong() >> random.nextInt(64);
    String wide = "b64 b64 b64";
    add("add.s64", wide, longs, r -> r[0] + r[1], PtxCase.BITS);
    add("sub.s64", wide, longs, r -> r[0] - r[1], PtxCase.BITS);
    add("mul.lo.s64", wide, longs, r -> r[0] * r[1], PtxCase.BITS);
  }

  private static long permuted(long[] r) {
    long bytes = r[0] | r[1] << 32;
    long result = 0;
    for (int i = 0; i < 4; i++) {
      int selector = (int) (r[2] >>> (4 * i)) & 15;
      int chosen = (int) (bytes >>> (8 * (selector & 7))) & 0xff;
      int replicated = (chosen & 0x80) != 0 ? 0xff : 0;
      result |= (long) ((selector & 8) != 0 ? replicated : chosen) << (8 * i);
    }
    return result;
  }

  private static long inserted(long[] r) {
    int position = (int) r[2] & 0xff;
    int length = (int) r[3] & 0xff;
    long mask = position > 31 ? 0 : ((1L << Math.min(length, 32)) - 1) << position & 0xffffffffL;
    long bits = position > 31 ? 0 : r[0] << position;
    return (r[1] & ~mask) | (bits & mask);
  }

  private static long bytesTimesBytes(long[] r) {
    long sum = r[2];
    for (int shift = 0; shift < 32; shift += 8) {
      sum += (r[0] >> shift & 0xff) * (r[1] >> shift & 0xff);
    }
    return sum;
  }

  private void comparisons() {
    String types = "pred b32 b32";
    Operands close = k -> random.nextInt(3) == 0 ? integer() : random.nextInt(-2, 3) & 0xffffffffL;
    add("setp.lt.s32", types, close, r -> (int) r[0] < (int) r[1] ? 1 : 0, PtxCase.BITS);
    add("setp.ge.s32", types, close, r -> (int) r[0] >= (int) r[1] ? 1 : 0, PtxCase.BITS);
    add("setp.gt.u32", types, close, r -> r[0] > r[1] ? 1 : 0, PtxCase.BITS);
    add("setp.ne.s32", types, close, r -> r[0] != r[1] ? 1 : 0, PtxCase.BITS);
    String floats = "pred f32 f32";
    add("setp.eq.f32", floats, k -> single(), r -> f(r[0]) == f(r[1]) ? 1 : 0, PtxCase.BITS);
    add("setp.geu.f32", floats, k -> single(), r -> f(r[0]) < f(r[1]) ? 0 : 1, PtxCase.BITS);
  }

  /** Any bits, or one of a few values that a kernel compares. */
  private long single() {
    int kind = random.nextInt(8);
    float small = Float.MIN_VALUE * random.nextInt(1 << 20);
    float special = kind == 1 ? Float.NEGATIVE_INFINITY : kind == 2 ? small : kind == 3 ? 0 : 1;
    return kind > 4 ? random.nextInt() & 0xffffffffL : bits(special);
  }

  private static float f(long bits) {
    return Float.intBitsToFloat((int) bits);
  }

  private static long bits(float x) {
    return Float.floatToRawIntBits(x) & 0xffffffffL;
  }

  private void floats(String op, int sources, Definition definition) {
    add(op, "f32" + " f32".repeat(sources), k -> single(), definition, PtxCase.SINGLES);
  }

  private void singles() {
    floats("add.f32", 2, r -> bits(f(r[0]) + f(r[1])));
    floats("sub.f32", 2, r -> bits(f(r[0]) - f(r[1])));
    floats("mul.f32", 2, r -> bits(f(r[0]) * f(r[1])));
    floats("fma.rn.f32", 3, r -> bits(Math.fma(f(r[0]), f(r[1]), f(r[2]))));
    floats("div.rn.f32", 2, r -> bits(f(r[0]) / f(r[1])));
    floats("rcp.rn.f32", 1, r -> bits(1 / f(r[0])));
    floats("sqrt.rn.f32", 1, r -> bits((float) Math.sqrt(f(r[0]))));
    floats("abs.f32", 1, r -> bits(Math.abs(f(r[0]))));
    floats("neg.f32", 1, r -> bits(-f(r[0])));
    floats("max.f32", 2, r -> bits(numbersFirst(f(r[0]), f(r[1]), Math.max(f(r[0]), f(r[1])))));
    floats("min.f32", 2, r -> bits(numbersFirst(f(r[0]), f(r[1]), Math.min(f(r[0]), f(r[1])))));
  }

  private static float numbersFirst(float a, float b, float both) {
    return Float.isNaN(a) ? b : Float.isNaN(b) ? a : both;
  }

  /** The result for the operands of one half. */
  private interface HalfDefinition {
    double of(float a, float b, float c);
  }

  private void pairs(String op, int sources, HalfDefinition definition) {
    Half format = Half.FP16;
    add(
        op,
        "b32" + " b32".repeat(sources),
        k -> pair(),
        row -> {
          long result = 0;
          for (int shift = 0; shift < 32; shift += 16) {
            float[] x = new float[3];
            for (int k = 0; k < sources; k++) {
              x[k] = format.value((int) (row[k] >>> shift));
            }
            // Never rounded twice: a sum that a double cannot hold is no tie for a half.
            result |= (long) format.round(definition.of(x[0], x[1], x[2])) << shift;
          }
          return result;
        },
        PtxCase.HALVES);
  }

  /** Two halves: codes in place, which are subnormal, ordinary numbers, or anything. */
  private long pair() {
    return switch (random.nextInt(3)) {
      case 0 -> random.nextInt() & 0x03ff03ffL;
      case 1 -> halves(random.nextInt(-64, 64) / 16f, random.nextInt(-999, 999) / 256f);
      default -> random.nextInt() & 0xffffffffL;
    };
  }

  private static long halves(float low, float high) {
    return Half.FP16.round(low) | (long) Half.FP16.round(high) << 16;
  }

  private void halves() {
    pairs("fma.rn.f16x2", 3, (a, b, c) -> (double) a * b + c);
    pairs("mul.rn.f16x2", 2, (a, b, c) -> (double) a * b);
    pairs("add.rn.f16x2", 2, (a, b, c) -> (double) a + b);
    pairs("abs.f16x2", 1, (a, b, c) -> Math.abs(a));
    pairs("max.f16x2", 2, (a, b, c) -> Double.isNaN(a) ? b : Double.isNaN(b) ? a : Math.max(a, b));
  }

  private void conversions() {
    add(
        "cvt.f32.f16",
        "f32 b16",
        k -> random.nextInt(1 << 16),
        r -> bits(Half.FP16.value((int) r[0])),
        PtxCase.SINGLES);
    add(
        "cvt.rn.f16x2.f32",
        "b32 f32 f32",
        k -> random.nextBoolean() ? single() : bits((float) (random.nextGaussian() * 1e-6)),
        r -> halves(f(r[1]), f(r[0])),
        PtxCase.HALVES);
    floats("cvt.rni.f32.f32", 1, r -> bits((float) Math.rint(f(r[0]))));
    Operands anything =
        k -> random.nextBoolean() ? single() : bits((float) random.nextDouble(-2, 6e9));
    add("cvt.rni.u32.f32", "b32 f32", anything, r -> unsigned(Math.rint(f(r[0]))), PtxCase.BITS);
    add("cvt.rzi.u32.f32", "b32 f32", anything, r -> unsigned(Math.floor(f(r[0]))), PtxCase.BITS);
    add("cvt.rn.f32.u32", "f32 b32", k -> integer(), r -> bits((float) r[0]), PtxCase.SINGLES);
    add(
        "cvt.rn.f32.s32",
        "f32 b32",
        k -> integer(),
        r -> bits((float) (int) r[0]),
        PtxCase.SINGLES);
    add("cvt.s64.s32", "b64 b32", k -> integer(), r -> (long) (int) r[0], PtxCase.BITS);
    add("cvt.u16.u32", "b16 b32", k -> integer(), r -> r[0] & 0xffff, PtxCase.BITS);
  }

  private static long unsigned(double x) {
    return Double.isNaN(x) || x < 0 ? 0 : Math.min((long) x, 0xffffffffL);
  }

  /** Within the errors that PTX documents. */
  private void approximations() {
    Operands exponents = k -> bits((float) random.nextDouble(-140, 130));
    approximate("ex2.approx.ftz.f32", 1, exponents, r -> flushed(Math.pow(2, f(r[0]))), 2);
    approximate("ex2.approx.f32", 1, exponents, r -> bits((float) Math.pow(2, f(r[0]))), 2);
    Operands positive = k -> bits((float) Math.pow(2, random.nextDouble(-60, 60)));
    approximate("div.approx.f32", 2, positive, r -> bits(f(r[0]) / f(r[1])), 2);
    approximate("rcp.approx.f32", 1, positive, r -> bits(1 / f(r[0])), 1);
    IntUnaryOperator edges =
        x -> new int[] {0xff800000, 0x7f800000, 0, 0x80000000, 0x43480000, 0xc3480000}[x];
    approximate(
        "ex2.approx.ftz.f32",
        1,
        k -> edges.applyAsInt(random.nextInt(6)) & 0xffffffffL,
        r -> flushed(Math.pow(2, f(r[0]))),
        0);
  }

  private void approximate(String op, int sources, Operands operands, Definition d, int ulps) {
    add(op, "f32" + " f32".repeat(sources), operands, d, PtxCase.ulps(ulps));
  }

  private static long flushed(double x) {
    return x < Float.MIN_NORMAL ? 0 : bits((float) x);
  }
}
