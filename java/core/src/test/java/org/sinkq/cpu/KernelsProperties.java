package org.sinkq.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

/** The two kernel implementations give the same bits, kernel by kernel. */
class KernelsProperties {
  private static final Kernels VECTOR = new VectorKernels();
  private static final Kernels SCALAR = new ScalarKernels();

  private static float[] floats(Random random, int n, float factor) {
    float[] x = new float[n];
    for (int i = 0; i < n; i++) {
      x[i] = (float) random.nextGaussian() * factor;
    }
    return x;
  }

  /** Finite fp16 numbers of every size, subnormals and both zeros included. */
  private static MemorySegment halves(Random random, int n) {
    MemorySegment segment = MemorySegment.ofArray(new byte[2 * n + 2]);
    for (int i = 0; i <= n; i++) {
      short bits = (short) random.nextInt();
      if ((bits & 0x7C00) == 0x7C00) {
        bits &= (short) 0x83FF;
      }
      segment.set(ValueLayout.JAVA_SHORT_UNALIGNED, 2L * i, bits);
    }
    return segment;
  }

  private static MemorySegment bytes(Random random, int n) {
    byte[] bytes = new byte[n];
    random.nextBytes(bytes);
    return MemorySegment.ofArray(bytes);
  }

  private interface Call {
    void on(Kernels kernels, float[] inOut);
  }

  private static void assertTwins(float[] start, Call call) {
    float[] expected = start.clone();
    float[] actual = start.clone();
    call.on(SCALAR, expected);
    call.on(VECTOR, actual);
    assertArrayEquals(expected, actual);
  }

  @Property(tries = 100)
  void codes(
      @ForAll long seed,
      @ForAll boolean four,
      @ForAll @IntRange(min = 1, max = 32) int rowBlocks,
      @ForAll @IntRange(min = 1, max = 8) int laneBlocks,
      @ForAll @IntRange(min = 1, max = 13) int columns) {
    Random random = new Random(seed);
    int bits = four ? 4 : 2;
    int coefStride = rowBlocks * 16 / bits + 3;
    int outStride = laneBlocks * 32 + 5;
    MemorySegment codes = bytes(random, 64 + rowBlocks * laneBlocks * 64);
    float[] coef = floats(random, columns * coefStride, 2);
    assertTwins(
        floats(random, 7 + columns * outStride, 1),
        (kernels, out) ->
            kernels.codes(
                bits,
                codes,
                64,
                rowBlocks,
                laneBlocks,
                coef,
                coefStride,
                out,
                7,
                outStride,
                columns,
                new int[Kernels.tableLength(rowBlocks * 16 / bits)]));
  }

  @Property(tries = 100)
  void rows(
      @ForAll long seed,
      @ForAll @IntRange(min = 1, max = 140) int rows,
      @ForAll @IntRange(min = 1, max = 8) int laneBlocks,
      @ForAll @IntRange(min = 1, max = 13) int columns) {
    Random random = new Random(seed);
    int lanes = laneBlocks * 32;
    MemorySegment x = MemorySegment.ofArray(floats(random, 16 + rows * lanes, 3));
    MemorySegment y = halves(random, rows * lanes);
    float[] coef = floats(random, columns * (rows + 2), 2);
    float[] start = floats(random, 1 + columns * lanes, 1);
    assertTwins(
        start,
        (kernels, out) ->
            kernels.rows(x, 64, false, rows, laneBlocks, coef, rows + 2, out, 1, lanes, columns));
    assertTwins(
        start,
        (kernels, out) ->
            kernels.rows(y, 2, true, rows, laneBlocks, coef, rows + 2, out, 1, lanes, columns));
  }

  @Property(tries = 50)
  void expansions(@ForAll long seed, @ForAll @IntRange(min = 1, max = 32) int blocks) {
    Random random = new Random(seed);
    MemorySegment codes = bytes(random, blocks * 64 + 64);
    for (int bits : new int[] {2, 4}) {
      int n = blocks * 16 / bits * 32;
      assertExpands(n, (kernels, tile) -> kernels.expandCodes(bits, codes, 64, blocks, tile));
    }
    MemorySegment halves = halves(random, blocks * 16);
    assertExpands(
        blocks * 16, (kernels, tile) -> kernels.expandHalves(halves, 2, blocks * 16, tile));
    assertTwins(
        new float[5 + blocks * 16], (kernels, to) -> kernels.halves(halves, 2, blocks * 16, to, 5));
  }

  private interface Expansion {
    void into(Kernels kernels, MemorySegment tile);
  }

  private static void assertExpands(int n, Expansion expansion) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment expected = arena.allocate(4L * n, 64);
      MemorySegment actual = arena.allocate(4L * n, 64);
      expansion.into(SCALAR, expected);
      expansion.into(VECTOR, actual);
      assertEquals(-1, expected.mismatch(actual));
    }
  }

  @Property(tries = 100)
  void elementwise(@ForAll long seed, @ForAll @IntRange(min = 1, max = 16) int blocks) {
    Random random = new Random(seed);
    int n = blocks * 16;
    float[] x = floats(random, n + 3, random.nextBoolean() ? 1 : 40);
    float[] scale = floats(random, n, 1);
    float[] min = floats(random, n, 5);
    float factor = (float) random.nextGaussian();
    assertTwins(
        new float[n + 16],
        (kernels, coef) -> kernels.scaleAndDot(x, 3, scale, min, n, coef, 0, coef, n));
    assertTwins(x, (kernels, y) -> kernels.scaleAndAdd(y, 3, n, factor, 0.25f));
    assertTwins(x, (kernels, y) -> kernels.softCap(y, 3, n, 0.5f + Math.abs(factor) * 30));
    assertTwins(x, (kernels, y) -> y[0] = kernels.max(y, 3, n));
    float[] hidden = Arrays.copyOf(x, 3 + n + 16);
    hidden[3 + random.nextInt(n)] = Float.NEGATIVE_INFINITY;
    float max = SCALAR.max(hidden, 3, n);
    assertTwins(hidden, (kernels, y) -> kernels.exp(y, 3, n, max, y, 3 + n));
  }

  /** Within 2 ulp of the exact result wherever that is a normal number, 0 below. */
  @Property(tries = 500)
  void exponential(@ForAll @IntRange(min = -110_000, max = 88_000) int thousandths) {
    float x = thousandths / 1000f;
    double exact = Math.exp(x);
    float actual = Exp.exp(x);
    if (x < Exp.LOWEST) {
      assertEquals(0f, actual);
    } else {
      assertEquals(exact, actual, 2 * Math.ulp((float) exact));
    }
  }
}
