package org.sinkq.cuda.ptx;

import java.util.List;

/**
 * mma.sync of m16n8: fp16 and bf16 with k8 and k16, 8-bit integers with k16 and k32. Lane l = 4 g +
 * t holds of A rows g and g + 8, of B column g, of C rows g and g + 8 at columns 2 t and 2 t + 1.
 * Products are exact and summed in double, then rounded once; PTX leaves order and intermediate
 * precision of the sum open.
 */
final class MmaOps {
  private static final int M = 16;
  private static final int N = 8;

  private MmaOps() {}

  static Op.Action decode(Decoder in, Insn i) {
    List<PtxType> types = i.types();
    if (types.size() != 4 || !i.has("row") || !i.has("col")) {
      return null;
    }
    int k = i.has("m16n8k8") ? 8 : i.has("m16n8k16") ? 16 : i.has("m16n8k32") ? 32 : 0;
    Half format = HalfOps.format(types.get(1));
    if (format != null && types.get(1) == types.get(2) && (k == 8 || k == 16)) {
      return halves(in, i, format, k);
    }
    boolean bytes = types.get(1).bytes == 1 && types.get(2).bytes == 1;
    return bytes && types.get(0) == PtxType.S32 && (k == 16 || k == 32) ? integers(in, i, k) : null;
  }

  private static int[] read(Decoder in, Insn i, int operand, int count) {
    int[] slots = i.group(operand).stream().mapToInt(o -> in.readInt(o, PtxType.B32)).toArray();
    if (slots.length != count) {
      throw new IllegalArgumentException(
          "registers=" + slots.length + ", expected " + count + " in operand " + operand);
    }
    return slots;
  }

  private static int[] write(Decoder in, Insn i, int count) {
    int[] slots = i.group(0).stream().mapToInt(in::writeInt).toArray();
    if (slots.length != count) {
      throw new IllegalArgumentException(
          "registers=" + slots.length + ", expected " + count + " in operand 0");
    }
    return slots;
  }

  private static Op.Action halves(Decoder in, Insn i, Half format, int k) {
    PtxType result = i.types().get(0);
    PtxType addend = i.types().get(3);
    if (result != addend || (result != PtxType.F32 && result != PtxType.F16)) {
      return null;
    }
    boolean single = result == PtxType.F32;
    int[] d = write(in, i, single ? 4 : 2);
    int[] a = read(in, i, 1, k / 4);
    int[] b = read(in, i, 2, k / 8);
    int[] c = read(in, i, 3, single ? 4 : 2);
    double[] left = new double[M * k];
    double[] right = new double[k * N];
    double[] sum = new double[M * N];
    return (w, mask) -> {
      if (!w.converged(mask, -1)) {
        return;
      }
      for (int j = 0; j < a.length; j++) {
        unpack(format, w.r, a[j], left, 2 * Lanes.WARP * j);
      }
      for (int j = 0; j < b.length; j++) {
        unpack(format, w.r, b[j], right, 2 * Lanes.WARP * j);
      }
      for (int j = 0; j < c.length; j++) {
        if (single) {
          for (int lane = 0; lane < Lanes.WARP; lane++) {
            sum[j * Lanes.WARP + lane] = Float.intBitsToFloat(w.r[c[j] + lane]);
          }
        } else {
          unpack(format, w.r, c[j], sum, 2 * Lanes.WARP * j);
        }
      }
      multiply(left, right, sum, k);
      for (int j = 0; j < d.length; j++) {
        for (int lane = 0; lane < Lanes.WARP; lane++) {
          int at = single ? j * Lanes.WARP + lane : 2 * j * Lanes.WARP + lane;
          w.r[d[j] + lane] =
              single
                  ? Float.floatToRawIntBits((float) sum[at])
                  : format.round(sum[at]) | format.round(sum[at + Lanes.WARP]) << 16;
        }
      }
    };
  }

  /** The low halves of a register's lanes, then the high ones. */
  private static void unpack(Half format, int[] r, int register, double[] into, int to) {
    for (int lane = 0; lane < Lanes.WARP; lane++) {
      int pair = r[register + lane];
      into[to + lane] = format.value(pair);
      into[to + Lanes.WARP + lane] = format.value(pair >>> 16);
    }
  }

  /**
   * Adds the products, in the order of k. The matrices lie as the registers do, 32 lanes of low
   * halves and 32 of high ones for each register; so do the sums, whose columns are 2 t and 2 t +
   * 1. Two rows by four columns at a time stay in machine registers. A fused multiply-add is what
   * it would be unfused, since the products are exact.
   */
  private static void multiply(double[] left, double[] right, double[] sum, int k) {
    for (int g = 0; g < N; g++) {
      for (int t = 0; t < 4; t += 2) {
        int upper = 4 * g + t;
        int lower = upper + 2 * Lanes.WARP;
        double u0 = sum[upper];
        double u1 = sum[upper + Lanes.WARP];
        double u2 = sum[upper + 1];
        double u3 = sum[upper + 1 + Lanes.WARP];
        double l0 = sum[lower];
        double l1 = sum[lower + Lanes.WARP];
        double l2 = sum[lower + 1];
        double l3 = sum[lower + 1 + Lanes.WARP];
        for (int m = 0; m < k; m++) {
          // Element m of eight: lane m / 2 of a group of four, low or high half.
          int half = (m & 1) * Lanes.WARP + (m >> 1 & 3);
          int x = (m >> 3) * 4 * Lanes.WARP + half + 4 * g;
          int y = (m >> 3) * 2 * Lanes.WARP + half + 8 * t;
          double top = left[x];
          double bottom = left[x + 2 * Lanes.WARP];
          double y0 = right[y];
          double y1 = right[y + 4];
          double y2 = right[y + 8];
          double y3 = right[y + 12];
          u0 = Math.fma(top, y0, u0);
          u1 = Math.fma(top, y1, u1);
          u2 = Math.fma(top, y2, u2);
          u3 = Math.fma(top, y3, u3);
          l0 = Math.fma(bottom, y0, l0);
          l1 = Math.fma(bottom, y1, l1);
          l2 = Math.fma(bottom, y2, l2);
          l3 = Math.fma(bottom, y3, l3);
        }
        sum[upper] = u0;
        sum[upper + Lanes.WARP] = u1;
        sum[upper + 1] = u2;
        sum[upper + 1 + Lanes.WARP] = u3;
        sum[lower] = l0;
        sum[lower + Lanes.WARP] = l1;
        sum[lower + 1] = l2;
        sum[lower + 1 + Lanes.WARP] = l3;
      }
    }
  }

  private static Op.Action integers(Decoder in, Insn i, int k) {
    boolean signedA = i.types().get(1).isSigned();
    boolean signedB = i.types().get(2).isSigned();
    boolean saturate = i.has("satfinite");
    int[] d = write(in, i, 4);
    int[] a = read(in, i, 1, k / 8);
    int[] b = read(in, i, 2, k / 16);
    int[] c = read(in, i, 3, 4);
    int[] left = new int[M * k];
    int[] right = new int[k * N];
    int[] addend = new int[4 * Lanes.WARP];
    return (w, mask) -> {
      if (!w.converged(mask, -1)) {
        return;
      }
      int[] r = w.r;
      for (int lane = 0; lane < Lanes.WARP; lane++) {
        int g = lane >> 2;
        int t = lane & 3;
        for (int byteOf = 0; byteOf < 4; byteOf++) {
          for (int j = 0; j < a.length; j++) {
            int at = (g + (j & 1) * 8) * k + t * 4 + (j >> 1) * 16 + byteOf;
            left[at] = element(r[a[j] + lane], byteOf, signedA);
          }
          for (int j = 0; j < b.length; j++) {
            right[(t * 4 + j * 16 + byteOf) * N + g] = element(r[b[j] + lane], byteOf, signedB);
          }
        }
      }
      for (int j = 0; j < 4; j++) {
        System.arraycopy(r, c[j], addend, j * Lanes.WARP, Lanes.WARP);
      }
      for (int j = 0; j < 4; j++) {
        for (int lane = 0; lane < Lanes.WARP; lane++) {
          int row = (lane >> 2) + (j >> 1) * 8;
          int column = (lane & 3) * 2 + (j & 1);
          long sum = addend[j * Lanes.WARP + lane];
          for (int m = 0; m < k; m++) {
            sum += (long) left[row * k + m] * right[m * N + column];
          }
          w.ints[lane] =
              (int)
                  (saturate ? Math.max(Integer.MIN_VALUE, Math.min(Integer.MAX_VALUE, sum)) : sum);
        }
        w.keepInts(d[j], -1);
      }
    };
  }

  private static int element(int word, int index, boolean signed) {
    int value = (word >>> (8 * index)) & 0xff;
    return signed ? (byte) value : value;
  }
}
