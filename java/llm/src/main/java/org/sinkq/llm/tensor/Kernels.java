package org.sinkq.llm.tensor;

import org.sinkq.engine.VectorSupport;
import org.sinkq.llm.gguf.TensorType;

/**
 * The inner loops of a forward pass. The two implementations give the same bits.
 *
 * <p>A product of two rows is 16 interleaved partial sums, each added up in ascending order with
 * fused multiply-adds, then folded in halves: 16 to 8 to 4 to 2 to 1. Weights are dequantized
 * exactly as their type defines them before they are multiplied, so a product comes out the same
 * whether a weight row is used once, straight from its blocks, or for many rows of a prompt from a
 * tile of floats.
 */
public interface Kernels {
  /** Interleaved partial sums of a product. */
  int PARTIAL_SUMS = 16;

  /** Weight rows that {@link #multiply} takes at a time. */
  int TILE_ROWS = 16;

  /** Partial sums of a tile, which the scratch array of a product begins with. */
  int TILE_SUMS = TILE_ROWS * PARTIAL_SUMS;

  /**
   * Elements that the scratch array of a product with rows of {@code columns} weights must have:
   * the partial sums, then scale and minimum of each block of two rows.
   */
  static int scratchLength(int columns) {
    return TILE_SUMS + 4 * (columns / Weights.COLUMN_MULTIPLE);
  }

  /** The fastest that can run here. */
  static Kernels best() {
    return VectorSupport.usable() ? new VectorKernels() : new ScalarKernels();
  }

  /** Names the implementation for people. */
  String description();

  /** Writes a row of weights as floats. */
  void dequantize(Weights weights, int row, float[] to, int at);

  /** Whether {@link #multiply} works on blocks of this type without a tile of floats. */
  boolean multipliesBlocks(TensorType type);

  /**
   * {@code out[outAt + i] = weights[row + i] · x} for {@code TILE_ROWS} rows, straight from the
   * blocks.
   *
   * @param x [columns]
   * @param scratch [scratchLength(columns)] working memory
   */
  void multiply(
      Weights weights, int row, float[] x, int xAt, float[] out, int outAt, float[] scratch);

  /**
   * {@code out[outAt + r * outStride + o] = tile[o] · x[r]} for {@code TILE_ROWS} rows of a tile.
   *
   * @param tile [TILE_ROWS, columns]
   * @param x [rows, xStride], of which the first {@code columns} count
   * @param scratch [scratchLength(columns)] working memory
   */
  void multiply(
      float[] tile,
      int columns,
      float[] x,
      int xAt,
      int xStride,
      int rows,
      float[] out,
      int outAt,
      int outStride,
      float[] scratch);

  /** {@code to[i] = x[i] / sqrt(mean(x^2) + epsilon) * weight[i]}; {@code n} a multiple of 16. */
  void rmsNorm(float[] x, int at, int n, float[] weight, float epsilon, float[] to, int toAt);

  /** {@code gate[i] = gate[i] / (1 + exp(-gate[i])) * up[i]}. */
  void siluMultiply(float[] gate, float[] up, int at, int n);

  /** {@code gate[i] = gelu(gate[i]) * up[i]}, GELU in its approximation by tanh. */
  void geluMultiply(float[] gate, float[] up, int at, int n);

  /** {@code x[i] = exp(x[i])}, 0 below -87; x[i] at most 87 and no NaN. */
  void exp(float[] x, int at, int n);

  /** {@code x[i] += y[i]}. */
  void add(float[] x, float[] y, int at, int n);
}
