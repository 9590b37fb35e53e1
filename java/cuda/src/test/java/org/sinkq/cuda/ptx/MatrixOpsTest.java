package org.sinkq.cuda.ptx;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Matrix instructions against plain loops over matrices in fp64. */
final class MatrixOpsTest {
  private static final long SEED = 21;

  private static long[] run(String body, int[][] registers) {
    PtxLab.Program program = PtxLab.lanes(body, registers);
    return PtxLab.run(program.ptx(), program.setup(), program.in(), program.out());
  }

  /** Packs a matrix into registers: row and first column of each lane's pair in register j. */
  private interface Place {
    int at(int lane, int register);
  }

  private static int[] fragment(int[] bits, int width, Place place, int register) {
    int[] result = new int[32];
    for (int lane = 0; lane < 32; lane++) {
      int at = place.at(lane, register);
      for (int k = 0; k < 32 / width; k++) {
        result[lane] |= (bits[at + k] & ((1 << width) - 1)) << (k * width);
      }
    }
    return result;
  }

  @ParameterizedTest
  @CsvSource({"f16,16,f32", "f16,8,f32", "bf16,16,f32", "bf16,8,f32", "f16,16,f16", "f16,8,f16"})
  void halves(String type, int k, String accumulator) {
    Half format = type.equals("f16") ? Half.FP16 : Half.BF16;
    SplittableRandom random = new SplittableRandom(SEED);
    int[] a = new int[16 * k];
    int[] b = new int[8 * k];
    for (int i = 0; i < a.length; i++) {
      // Subnormals now and then: they count.
      a[i] = format.round(random.nextGaussian() * (i % 5 == 0 ? format.minNormal() / 8 : 1));
    }
    for (int i = 0; i < b.length; i++) {
      b[i] = format.round(random.nextGaussian());
    }
    double[] c = new double[16 * 8];
    for (int i = 0; i < c.length; i++) {
      c[i] = Half.FP16.value(Half.FP16.round(random.nextGaussian()));
    }
    int[][] registers = new int[16][32];
    for (int j = 0; j < k / 4; j++) {
      registers[j] = fragment(a, 16, (l, r) -> (l / 4 + r % 2 * 8) * k + l % 4 * 2 + r / 2 * 8, j);
    }
    for (int j = 0; j < k / 8; j++) {
      // B by columns: element (row, column) at column * k + row.
      registers[4 + j] = fragment(b, 16, (l, r) -> l / 4 * k + l % 4 * 2 + r * 8, j);
    }
    boolean single = accumulator.equals("f32");
    for (int lane = 0; lane < 32; lane++) {
      for (int j = 0; j < 4; j++) {
        double value = c[(lane / 4 + j / 2 * 8) * 8 + lane % 4 * 2 + j % 2];
        if (single) {
          registers[8 + j][lane] = Float.floatToRawIntBits((float) value);
        } else {
          registers[8 + j / 2][lane] |= Half.FP16.round(value) << (j % 2 * 16);
        }
      }
    }
    String as = k == 16 ? "{%r0,%r1,%r2,%r3}" : "{%r0,%r1}";
    String bs = k == 16 ? "{%r4,%r5}" : "{%r4}";
    String cs = single ? "{%r8,%r9,%r10,%r11}" : "{%r8,%r9}";
    String ds = single ? "{%r20,%r21,%r22,%r23}" : "{%r20,%r21}";
    long[] got =
        run(
            "mov.b32 %%r22, 0; mov.b32 %%r23, 0; mma.sync.aligned.m16n8k%d.row.col.%s.%s.%s.%s %s, %s, %s, %s;\n"
                .formatted(k, accumulator, type, type, accumulator, ds, as, bs, cs),
            registers);
    for (int row = 0; row < 16; row++) {
      for (int column = 0; column < 8; column++) {
        double exact = c[row * 8 + column];
        for (int i = 0; i < k; i++) {
          exact += (double) format.value(a[row * k + i]) * format.value(b[column * k + i]);
        }
        int lane = row % 8 * 4 + column / 2;
        int j = row / 8 * 2 + column % 2;
        double value =
            single
                ? Float.intBitsToFloat((int) got[lane * 4 + j])
                : Half.FP16.value((int) (got[lane * 4 + j / 2] >>> (j % 2 * 16)));
        double tolerance = single ? Math.ulp((float) exact) : Math.abs(exact) / 2048 + 0x1p-25;
        assertEquals(exact, value, tolerance, "row=" + row + " column=" + column + " seed=" + SEED);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"s8,s8", "u8,u8", "u8,s8"})
  void bytes(String typeA, String typeB) {
    int k = 32;
    SplittableRandom random = new SplittableRandom(SEED);
    int[] a = random.ints(16L * k).toArray();
    int[] b = random.ints(8L * k).toArray();
    int[] c = random.ints(16 * 8, -1000, 1000).toArray();
    int[][] registers = new int[16][32];
    for (int j = 0; j < 4; j++) {
      registers[j] = fragment(a, 8, (l, r) -> (l / 4 + r % 2 * 8) * k + l % 4 * 4 + r / 2 * 16, j);
      for (int lane = 0; lane < 32; lane++) {
        registers[8 + j][lane] = c[(lane / 4 + j / 2 * 8) * 8 + lane % 4 * 2 + j % 2];
      }
    }
    for (int j = 0; j < 2; j++) {
      registers[4 + j] = fragment(b, 8, (l, r) -> l / 4 * k + l % 4 * 4 + r * 16, j);
    }
    long[] got =
        run(
            "mma.sync.aligned.m16n8k32.row.col.s32.%s.%s.s32 {%%r20,%%r21,%%r22,%%r23}, {%%r0,%%r1,%%r2,%%r3}, {%%r4,%%r5}, {%%r8,%%r9,%%r10,%%r11};\n"
                .formatted(typeA, typeB),
            registers);
    for (int row = 0; row < 16; row++) {
      for (int column = 0; column < 8; column++) {
        int exact = c[row * 8 + column];
        for (int i = 0; i < k; i++) {
          exact += value(a[row * k + i], typeA) * value(b[column * k + i], typeB);
        }
        int lane = row % 8 * 4 + column / 2;
        assertEquals(exact, (int) got[lane * 4 + row / 8 * 2 + column % 2], "seed=" + SEED);
      }
    }
  }

  private static int value(int bits, String type) {
    return type.equals("s8") ? (byte) bits : bits & 0xff;
  }

  @Test
  void tilesComeFromSharedMemory() {
    // Row r of tile t holds the halves 64 t + 8 r + column.
    String store =
        """
        .shared .align 16 .b8 s[512];
        mov.u32 %r1, s;
        shl.b32 %r2, %t, 4;
        add.s32 %r3, %r1, %r2;
        shl.b32 %r4, %t, 3;
        mad.lo.s32 %r5, %r4, 65537, 65536;
        add.s32 %r6, %r5, 131074;
        add.s32 %r7, %r5, 262148;
        add.s32 %r8, %r5, 393222;
        st.shared.v4.b32 [%r3], {%r5, %r6, %r7, %r8};
        bar.warp.sync -1;
        """;
    String load = "ldmatrix.sync.aligned.m8n8.x4%s.shared.b16 {%%r20,%%r21,%%r22,%%r23}, [%%r3];\n";
    long[] plain = run(store + load.formatted(""), new int[0][]);
    long[] transposed = run(store + load.formatted(".trans"), new int[0][]);
    for (int lane = 0; lane < 32; lane++) {
      for (int tile = 0; tile < 4; tile++) {
        int row = lane / 4;
        int column = lane % 4 * 2;
        int first = tile * 64 + row * 8 + column;
        assertEquals(first | (first + 1L) << 16, plain[lane * 4 + tile]);
        int other = tile * 64 + column * 8 + row;
        assertEquals(other | (other + 8L) << 16, transposed[lane * 4 + tile]);
      }
    }
    for (String way : new String[] {"", ".trans"}) {
      long[] again = run(store + load.formatted(way) + storedBack(way), new int[0][]);
      for (int lane = 0; lane < 32; lane++) {
        assertEquals(8L * lane | (8L * lane + 1) << 16, again[lane * 4]);
        assertEquals((8L * lane + 6) | (8L * lane + 7) << 16, again[lane * 4 + 3]);
      }
    }
  }

  private static String storedBack(String way) {
    return "stmatrix.sync.aligned.m8n8.x4"
        + way
        + ".shared.b16 [%r3], {%r20,%r21,%r22,%r23};\nbar.warp.sync -1;\n"
        + "ld.shared.v4.b32 {%r20,%r21,%r22,%r23}, [%r3];\n";
  }

  @Test
  void transposesInRegisters() {
    String body =
        """
        shl.b32 %r1, %t, 1;
        mad.lo.s32 %r1, %r1, 65537, 65536;
        movmatrix.sync.aligned.m8n8.trans.b16 %r20, %r1;
        mov.b32 %r21, 0; mov.b32 %r22, 0; mov.b32 %r23, 0;
        """;
    long[] got = run(body, new int[0][]);
    for (int lane = 0; lane < 32; lane++) {
      long at = lane % 4 * 16L + lane / 4;
      assertEquals(at | (at + 8) << 16, got[lane * 4]);
    }
  }
}
