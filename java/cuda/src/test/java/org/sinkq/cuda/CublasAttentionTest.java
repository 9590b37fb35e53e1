package org.sinkq.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The baseline computes attention: against fp64. */
@Tag("gpu")
class CublasAttentionTest {
  @Test
  void plainAttentionIsAttention() {
    int dim = 128;
    int group = 4;
    int tokens = SoftmaxKernel.COLUMN_UNIT;
    float[][] x;
    try (JcudaDevice device = new JcudaDevice(0);
        CublasAttention baseline = new CublasAttention(device, new int[] {8, 2}, dim, 2, tokens)) {
      x = baseline.run();
    }
    for (int row = 0; row < 2 * 2 * group; row++) {
      int cache = row / group * tokens * dim;
      double[] weights = new double[tokens];
      double sum = 0;
      for (int t = 0; t < tokens; t++) {
        double logit = 0;
        for (int d = 0; d < dim; d++) {
          logit += x[0][row * dim + d] * (double) x[1][cache + t * dim + d];
        }
        weights[t] = Math.exp(logit / Math.sqrt(dim));
        sum += weights[t];
      }
      for (int d = 0; d < dim; d++) {
        double expected = 0;
        for (int t = 0; t < tokens; t++) {
          expected += weights[t] / sum * x[2][cache + t * dim + d];
        }
        assertEquals(expected, x[3][row * dim + d], 2e-3, "row=" + row + " channel=" + d);
      }
    }
  }
}
