package org.sinkq.llm.generate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.sinkq.InvalidArgumentException;

class SamplingOptionsTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "-0.1 | 0  | 1   | 0   | temperature=-0.1, expected 0 (greedy) to 100.0",
        "101  | 0  | 1   | 0   | temperature=101.0, expected 0 (greedy) to 100.0",
        "NaN  | 0  | 1   | 0   | temperature=NaN, expected 0 (greedy) to 100.0",
        "1    | -1 | 1   | 0   | topK=-1, expected 0 (all) or more",
        "1    | 0  | 0   | 0   | topP=0.0, expected more than 0, up to 1 (all)",
        "1    | 0  | 1.1 | 0   | topP=1.1, expected more than 0, up to 1 (all)",
        "1    | 0  | NaN | 0   | topP=NaN, expected more than 0, up to 1 (all)",
        "1    | 0  | 1   | -1  | minP=-1.0, expected 0 (none) or more, below 1",
        "1    | 0  | 1   | 1   | minP=1.0, expected 0 (none) or more, below 1",
      })
  void refusesWhatIsOutOfRange(
      double temperature, int topK, double topP, double minP, String message) {
    assertEquals(
        message,
        assertThrows(
                InvalidArgumentException.class,
                () -> new SamplingOptions(temperature, topK, topP, minP, 0))
            .getMessage());
  }

  @Test
  void settingOneLeavesTheOthers() {
    assertEquals(
        new SamplingOptions(0.7, 40, 0.9, 0.05, 11),
        SamplingOptions.of(0.7, 11).withTopK(40).withTopP(0.9).withMinP(0.05));
    assertTrue(SamplingOptions.GREEDY.isGreedy());
    assertFalse(SamplingOptions.of(0.01, 1).isGreedy());
  }

  @Test
  void generationOptionsAreCheckedToo() {
    assertEquals(
        "maxTokens=0, expected 1 or more",
        assertThrows(
                InvalidArgumentException.class,
                () -> GenerationOptions.of(0, SamplingOptions.GREEDY))
            .getMessage());
    assertEquals(
        "prefillChunk=0, expected 1 or more",
        assertThrows(
                InvalidArgumentException.class,
                () -> GenerationOptions.of(1, SamplingOptions.GREEDY).withPrefillChunk(0))
            .getMessage());
  }
}
