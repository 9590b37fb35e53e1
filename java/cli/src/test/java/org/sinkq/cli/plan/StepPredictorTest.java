package org.sinkq.cli.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;
import org.sinkq.KvCodec;
import org.sinkq.ModelShape;

class StepPredictorTest {
  private static final String ENGINE = "cuda";

  private static CapacityPlanner.Format format(KvCodec codec) {
    return CapacityPlannerTest.format(codec);
  }

  /** Measured with cuBLAS through PyTorch on an H100: one step's products of Llama-3-8B. */
  @Test
  void productsTakeWhatTheyTookOnAnH100() {
    DecoderShape llama = DecoderShape.find("llama-3-8b").orElseThrow();
    StepPredictor predictor = new StepPredictor(llama, Gpu.H100_80, ENGINE);
    int[] rows = {56, 128, 364};
    double[] milliseconds = {6.2, 6.7, 10.5};
    for (int i = 0; i < rows.length; i++) {
      double predicted = 1e3 * predictor.stepTime(format(KvCodec.FP16), rows[i], 1024).gemm();
      assertEquals(milliseconds[i], predicted, 0.1 * milliseconds[i], rows[i] + " rows");
    }
  }

  /** The "with append" column of docs/results/h100-2026-11-24.md: one layer, 32/8 heads. */
  @Test
  void attentionTakesWhatItTookOnAnH100() {
    DecoderShape layer = DecoderShape.llama("layer", ModelShape.of(1, 32, 8, 128), 4096, 14336, 0);
    StepPredictor predictor = new StepPredictor(layer, Gpu.H100_80, ENGINE);
    int[][] cases = {{1, 32768}, {1, 131072}, {8, 32768}, {32, 8192}, {8, 131072}};
    double[] microseconds = {22.3, 41.5, 68.2, 68.0, 219.7};
    for (int i = 0; i < cases.length; i++) {
      double predicted =
          1e6 * predictor.stepTime(format(KvCodec.INT2), cases[i][0], cases[i][1]).attention();
      assertEquals(microseconds[i], predicted, 0.15 * microseconds[i], "case " + i);
    }
  }
}
