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
      int[] r = w.r;
      for (int lane = 0; lane < Lanes.WARP; lane++) {
        int g = lane >> 2;
        int t = lane & 3;
        for (int j = 0; j < a.length; j++) {
          int at = (g + (j & 1) * 8) * k + t * 2 + (j >> 1) * 8;
          int pair = r[a[j] + lane];
          left[at] = format.value(pair);
          left[at + 1] = format.value(pair >>> 16);
        }
        for (int j = 0; j < b.length; j++) {
          int at = (t * 2 + j * 8) * N + g;
          int pair = r[b[j] + lane];
          right[at] = format.value(pair);
          right[at + N] = format.value(pair >>> 16);
        }
        for (int j = 0; j < 4; j++) {
          int at = (g + (j >> 1) * 8) * N + t * 2 + (j & 1);
          sum[at] =
              single
                  ? Float.intBitsToFloat(r[c[j] + lane])
                  : format.value(r[c[j >> 1] + lane] >>> ((j & 1) * 16));
        }
      }
      multiply(left, right, sum, k);
      for (int lane = 0; lane < Lanes.WARP; lane++) {
        int at = (lane >> 2) * N + (lane & 3) * 2;
        for (int row = 0; row < 2; row++, at += 8 * N) {
          if (single) {
            r[d[2 * row] + lane] = Float.floatToRawIntBits((float) sum[at]);
            r[d[2 * row + 1] + lane] = Float.floatToRawIntBits((float) sum[at + 1]);
          } else {
            r[d[row] + lane] = format.round(sum[at]) | format.round(sum[at + 1]) << 16;
          }
        }
      }
    };
  }

  private static void multiply(double[] left, double[] right, double[] sum, int k) {
    for (int row = 0; row < M; row++) {
      for (int j = 0; j < k; j++) {
        double x = left[row * k + j];
        for (int column = 0; column < N; column++) {
          sum[row * N + column] += x * right[j * N + column];
        }
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
