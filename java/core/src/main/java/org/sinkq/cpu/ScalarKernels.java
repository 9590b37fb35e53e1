package org.sinkq.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;

/** Plain Java, for virtual machines without the vector module. */
final class ScalarKernels implements Kernels {
  @Override
  public String description() {
    return "scalar";
  }

  @Override
  public void codes(
      int bits,
      MemorySegment codes,
      long offset,
      int rowBlocks,
      int laneBlocks,
      float[] coef,
      int coefStride,
      float[] out,
      int outAt,
      int outStride,
      int columns,
      int[] tables) {
    int rows = 16 / bits;
    float[] row = new float[CpuLayout.BLOCK];
    float[] second = new float[CpuLayout.BLOCK];
    for (int lb = 0; lb < laneBlocks; lb++) {
      for (int rb = 0; rb < rowBlocks; rb++) {
        long at = offset + ((long) lb * rowBlocks + rb) * CpuLayout.CODE_BLOCK_LENGTH;
        for (int j = 0; j < rows; j += 4 / bits) {
          decodeRow(bits, codes, at, j, row);
          if (bits == 2) {
            decodeRow(bits, codes, at, j + 1, second);
          }
          for (int c = 0; c < columns; c++) {
            int q = c * coefStride + rb * rows + j;
            int to = outAt + c * outStride + lb * CpuLayout.BLOCK;
            addProducts(row, coef[q], second, bits == 2 ? coef[q + 1] : 0, out, to);
          }
        }
      }
    }
  }

  private static void addProducts(
      float[] row, float factor, float[] second, float secondFactor, float[] out, int at) {
    for (int i = 0; i < row.length; i++) {
      out[at + i] += Math.fma(second[i], secondFactor, row[i] * factor);
    }
  }

  private static void decodeRow(int bits, MemorySegment codes, long at, int j, float[] row) {
    int mask = (1 << bits) - 1;
    for (int i = 0; i < 16; i++) {
      int word = codes.get(JAVA_INT_UNALIGNED, at + i * 4L) >>> (j * bits);
      row[i] = word & mask;
      row[i + 16] = (word >>> 16) & mask;
    }
  }

  private static void addRow(float[] row, float factor, float[] out, int at) {
    for (int i = 0; i < row.length; i++) {
      out[at + i] = Math.fma(row[i], factor, out[at + i]);
    }
  }

  @Override
  public void expandCodes(
      int bits, MemorySegment codes, long offset, int rowBlocks, MemorySegment tile) {
    int rows = 16 / bits;
    float[] row = new float[CpuLayout.BLOCK];
    for (int rb = 0; rb < rowBlocks; rb++) {
      for (int j = 0; j < rows; j++) {
        decodeRow(bits, codes, offset + (long) rb * CpuLayout.CODE_BLOCK_LENGTH, j, row);
        long at = (long) (rb * rows + j) * row.length * Float.BYTES;
        MemorySegment.copy(row, 0, tile, JAVA_FLOAT_UNALIGNED, at, row.length);
      }
    }
  }

  @Override
  public void expandHalves(MemorySegment halves, long offset, int n, MemorySegment tile) {
    for (int i = 0; i < n; i++) {
      float value = Float.float16ToFloat(halves.get(JAVA_SHORT_UNALIGNED, offset + i * 2L));
      tile.set(JAVA_FLOAT_UNALIGNED, i * 4L, value);
    }
  }

  @Override
  public void halves(MemorySegment halves, long offset, int n, float[] to, int at) {
    for (int i = 0; i < n; i++) {
      to[at + i] = Float.float16ToFloat(halves.get(JAVA_SHORT_UNALIGNED, offset + i * 2L));
    }
  }

  @Override
  public void rows(
      MemorySegment x,
      long offset,
      boolean halves,
      int rows,
      int laneBlocks,
      float[] coef,
      int coefStride,
      float[] out,
      int outAt,
      int outStride,
      int columns) {
    float[] row = new float[CpuLayout.BLOCK];
    int rowLength = row.length * (halves ? Short.BYTES : Float.BYTES);
    for (int lb = 0; lb < laneBlocks; lb++) {
      for (int r = 0; r < rows; r++) {
        long at = offset + ((long) lb * rows + r) * rowLength;
        if (halves) {
          halves(x, at, row.length, row, 0);
        } else {
          MemorySegment.copy(x, JAVA_FLOAT_UNALIGNED, at, row, 0, row.length);
        }
        for (int c = 0; c < columns; c++) {
          addRow(row, coef[c * coefStride + r], out, outAt + c * outStride + lb * row.length);
        }
      }
    }
  }

  @Override
  public void scaleAndDot(
      float[] x,
      int xAt,
      float[] scale,
      float[] min,
      int n,
      float[] coef,
      int coefAt,
      float[] sums,
      int sumAt) {
    for (int i = 0; i < n; i++) {
      float value = x[xAt + i];
      int sum = sumAt + i % PARTIAL_SUMS;
      coef[coefAt + i] = value * scale[i];
      sums[sum] = Math.fma(value, min[i], sums[sum]);
    }
  }

  @Override
  public void scaleAndAdd(float[] x, int at, int n, float factor, float addend) {
    for (int i = at; i < at + n; i++) {
      x[i] = Math.fma(x[i], factor, addend);
    }
  }

  @Override
  public void softCap(float[] x, int at, int n, float cap) {
    for (int i = at; i < at + n; i++) {
      // tanh(y) = 1 - 2 / (exp(2y) + 1); exp saturates long after tanh has.
      float y = x[i] / cap;
      x[i] = cap * (1 - 2 / (Exp.exp(2 * y) + 1));
    }
  }

  @Override
  public float max(float[] x, int at, int n) {
    float max = Float.NEGATIVE_INFINITY;
    for (int i = at; i < at + n; i++) {
      max = Math.max(max, x[i]);
    }
    return max;
  }

  @Override
  public void exp(float[] x, int at, int n, float max, float[] sums, int sumAt) {
    for (int i = 0; i < n; i++) {
      float e = Exp.exp(x[at + i] - max);
      x[at + i] = e;
      sums[sumAt + i % PARTIAL_SUMS] += e;
    }
  }
}
