package org.sinkq.cli.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
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

  /** The "2 bit" column of docs/results/h100-2026-11-27.md: one layer, 32/8 heads. */
  @Test
  void attentionTakesWhatItTookOnAnH100() {
    DecoderShape layer = DecoderShape.llama("layer", ModelShape.of(1, 32, 8, 128), 4096, 14336, 0);
    StepPredictor predictor = new StepPredictor(layer, Gpu.H100_80, ENGINE);
    int[][] cases = {{1, 32768}, {1, 131072}, {8, 32768}, {32, 8192}, {8, 131072}};
    double[] microseconds = {14.0, 33.1, 59.0, 58.8, 211.3};
    for (int i = 0; i < cases.length; i++) {
      double predicted =
          1e6 * predictor.stepTime(format(KvCodec.INT2), cases[i][0], cases[i][1]).attention();
      assertEquals(microseconds[i], predicted, 0.15 * microseconds[i], "case " + i);
    }
  }

  /**
   * Steps of Llama-3-8B on an H100, docs/results/h100-2026-11-27-throughput.md: bits, sequences,
   * mean tokens, milliseconds.
   */
  @ParameterizedTest
  @CsvSource({
    "16, 55, 8000, 26.29",
    "4, 194, 8000, 27.98",
    "2, 339, 8000, 30.75",
    "16, 13, 32576, 25.12",
    "4, 51, 32576, 27.23",
    "2, 95, 32576, 27.66",
    "2, 55, 8000, 11.33",
    "2, 13, 32576, 9.96",
    "2, 1, 8000, 6.88",
    "2, 128, 8000, 15.58",
    "2, 24, 130880, 29.99",
    "16, 3, 130880, 23.22"
  })
  void stepsTakeWhatTheyTookOnAnH100(int bits, int sequences, int tokens, double milliseconds) {
    assertStep(Gpu.H100_80, bits, sequences, tokens, milliseconds);
  }

  /** The same on an H200, docs/results/h200-2026-11-28-bytes-throughput.md. */
  @ParameterizedTest
  @CsvSource({
    "16, 105, 8000, 32.10",
    "4, 369, 8000, 36.77",
    "2, 645, 8000, 47.51",
    "16, 26, 32576, 31.07",
    "4, 97, 32576, 31.11",
    "2, 180, 32576, 36.01",
    "2, 105, 8000, 10.61",
    "2, 26, 32576, 9.27"
  })
  void stepsTakeWhatTheyTookOnAnH200(int bits, int sequences, int tokens, double milliseconds) {
    assertStep(Gpu.H200, bits, sequences, tokens, milliseconds);
  }

  private static void assertStep(
      Gpu gpu, int bits, int sequences, int tokens, double milliseconds) {
    DecoderShape llama = DecoderShape.find("llama-3-8b").orElseThrow();
    StepPredictor predictor = new StepPredictor(llama, gpu, ENGINE);
    KvCodec codec = bits == 2 ? KvCodec.INT2 : bits == 4 ? KvCodec.INT4 : KvCodec.FP16;
    double predicted = 1e3 * predictor.stepTime(format(codec), sequences, tokens).total();
    assertEquals(milliseconds, predicted, 0.15 * milliseconds);
  }
}
