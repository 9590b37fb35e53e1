package org.sinkq.cli.throughput;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LengthsTest {
  private static final int PAGE = 128;

  /** Pages that sequences fill beyond their windows never exceed those they have memory for. */
  @ParameterizedTest
  @CsvSource({
    "1, 8192, 200, 32", "2, 300, 80, 128", "56, 8192, 200, 32", "364, 8192, 200, 32",
    "355, 8192, 200, 128", "91, 32768, 200, 32", "14, 32768, 200, 32", "4, 192, 80, 32"
  })
  void whatTheyGrowToFits(int sequences, int context, int steps, int window) {
    int[] lengths = Lengths.of(sequences, context, steps, PAGE);
    for (int grown = 0; grown <= steps; grown++) {
      int pages = 0;
      for (int length : lengths) {
        pages += Math.max(0, length + grown - window) / PAGE;
      }
      int most = sequences * (Math.max(0, context - window) / PAGE);
      assertTrue(pages <= most, pages + " pages after " + grown + " steps, expected " + most);
    }
  }

  @ParameterizedTest
  @CsvSource({"56, 8192", "364, 8192", "91, 32768"})
  void theyDifferAroundTheirMean(int sequences, int context) {
    int steps = 200;
    int[] lengths = Lengths.of(sequences, context, steps, PAGE);
    double mean = context - steps - PAGE / 2.0;
    assertEquals(mean, Arrays.stream(lengths).average().orElseThrow(), 2);
    assertEquals(0.875 * mean, lengths[0], mean / sequences + 2);
    assertEquals(1.125 * mean, lengths[sequences - 1], mean / sequences + 2);
    assertEquals(sequences, Arrays.stream(lengths).distinct().count());
    // No page fills in the first step of a cycle.
    for (int length : lengths) {
      assertNotEquals(0, (length + 1) % Lengths.CYCLE);
    }
  }

  @ParameterizedTest
  @CsvSource({"364, 56", "91, 14", "7, 7", "5, 1"})
  void aSampleIsSpreadAsAllAre(int sequences, int count) {
    int[] sample = Lengths.sample(sequences, count);
    assertEquals(count, Arrays.stream(sample).distinct().count());
    assertEquals((sequences - 1) / 2.0, Arrays.stream(sample).average().orElseThrow(), 0.51);
    int[] sorted = sample.clone();
    Arrays.sort(sorted);
    assertArrayEquals(sorted, sample);
    assertTrue(sample[count - 1] < sequences);
  }
}
