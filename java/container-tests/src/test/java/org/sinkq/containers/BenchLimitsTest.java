package org.sinkq.containers;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class BenchLimitsTest {
  @ParameterizedTest
  @ValueSource(strings = {"h100-2026-11-24.md", "h200-2026-11-24.md"})
  void committedResultsKeepTheCommittedLimits(String file) throws IOException {
    String results = Files.readString(TestSettings.root().resolve("docs/results/" + file));
    assertEquals(8, BenchLimits.committed().size());
    assertEquals(List.of(), BenchLimits.violations(BenchLimits.committed(), results));
  }

  @Test
  void aSlowCaseAndAMissingOneAreNamed() {
    Map<String, Double> limits = BenchLimits.committed();
    String bench = "| 32/8, 1, 8K | 21.1 | 17.0 | 1.24 | 14 % |";
    List<String> violations = BenchLimits.violations(limits, bench);
    assertEquals(8, violations.size());
    assertEquals("32/8, 1, 8K: 1.24 times fp16, expected at least 1.35", violations.getFirst());
    assertEquals("32/8, 1, 32K: not measured", violations.get(1));
  }
}
