package org.sinkq.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class StopStringsTest {
  /** Parts of the text are separated by slashes. */
  @ParameterizedTest
  @CsvSource({
    "a/b/c, abc, false",
    "a/bST/OP c/d, ab, true",
    "aSTOPb, a, true",
    "aS/Tb, aSTb, false",
    "aSTO, aSTO, false",
    "SSSSTO/P, SSS, true",
    "a END b STOP, 'a ', true",
    "EN/STOP, EN, true",
  })
  void textPassesUpToTheFirstStop(String parts, String expected, boolean found) {
    StringBuilder passed = new StringBuilder();
    StopStrings stops = new StopStrings(List.of("STOP", "END"), passed::append);
    Stream.of(parts.split("/", -1)).forEach(stops::accept);
    stops.finish();
    assertEquals(expected, passed.toString());
    assertEquals(found, stops.isFound());
  }

  @ParameterizedTest
  @CsvSource({"abS, ab", "abST, ab", "abX, abX"})
  void whatMayBecomeAStopIsHeldBack(String text, String expected) {
    StringBuilder passed = new StringBuilder();
    new StopStrings(List.of("STOP"), passed::append).accept(text);
    assertEquals(expected, passed.toString());
  }
}
