package org.sinkq.llm.tensor;

import org.sinkq.llm.gguf.TensorType;

/** Plain Java, for machines without the Vector API and as the twin that tests compare with. */
final class ScalarKernels implements Kernels {
  @Override
  public String description() {
    return "scalar";
  }

  @Override
  public void dequantize(Weights weights, int row, float[] to, int at) {
    ScalarBlocks.dequantize(
        weights.type(), weights.data(), weights.offset(row), weights.columns(), to, at);
  }

  @Override
  public boolean multipliesBlocks(TensorType type) {
    return false;
  }

  @Override
  public void multiply(
      Weights weights, int row, float[] x, int xAt, float[] out, int outAt, float[] scratch) {
    throw new UnsupportedOperationException("scalar kernels multiply tiles only");
  }

  @Override
  public void multiply(
      float[] tile,
      int columns,
      float[] x,
      int xAt,
      int xStride,
      int rows,
      float[] out,
      int outAt,
      int outStride,
      float[] scratch) {
    for (int r = 0; r < rows; r++) {
      for (int o = 0; o < TILE_ROWS; o++) {
        out[outAt + r * outStride + o] =
            dot(tile, o * columns, x, xAt + r * xStride, columns, scratch);
      }
    }
  }

  private static float dot(float[] a, int aAt, float[] b, int bAt, int n, float[] partial) {
    for (int l = 0; l < PARTIAL_SUMS; l++) {
      partial[l] = 0;
    }
    for (int i = 0; i < n; i += PARTIAL_SUMS) {
      for (int l = 0; l < PARTIAL_SUMS; l++) {
        partial[l] = Math.fma(a[aAt + i + l], b[bAt + i + l], partial[l]);
      }
    }
    return fold(partial, 0);
  }

  /** Adds 16 partial sums in halves; destroys them. */
  static float fold(float[] partial, int at) {
    for (int half = PARTIAL_SUMS / 2; half > 0; half /= 2) {
      for (int l = 0; l < half; l++) {
        partial[at + l] += partial[at + half + l];
      }
    }
    return partial[at];
  }

  @Override
  public void rmsNorm(
      float[] x, int at, int n, float[] weight, float epsilon, float[] to, int toAt) {
    float[] partial = new float[PARTIAL_SUMS];
    float scale = normFactor(dot(x, at, x, at, n, partial), n, epsilon);
    for (int i = 0; i < n; i++) {
      to[toAt + i] = x[at + i] * scale * weight[i];
    }
  }

  static float normFactor(float sumOfSquares, int n, float epsilon) {
    return (float) (1 / Math.sqrt(sumOfSquares / n + epsilon));
  }

  @Override
  public void siluMultiply(float[] gate, float[] up, int at, int n) {
    for (int i = at; i < at + n; i++) {
      gate[i] = Exp.silu(gate[i]) * up[i];
    }
  }

  @Override
  public void geluMultiply(float[] gate, float[] up, int at, int n) {
    for (int i = at; i < at + n; i++) {
      gate[i] = Exp.gelu(gate[i]) * up[i];
    }
  }

  @Override
  public void exp(float[] x, int at, int n) {
    for (int i = at; i < at + n; i++) {
      x[i] = Exp.exp(x[i]);
    }
  }

  @Override
  public void add(float[] x, float[] y, int at, int n) {
    for (int i = at; i < at + n; i++) {
      x[i] += y[i];
    }
  }
}
