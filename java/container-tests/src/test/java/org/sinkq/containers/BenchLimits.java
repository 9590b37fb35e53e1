package org.sinkq.containers;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Least speedups of 2 bits over fp16 on one GPU, {@code gpu-limits.txt}, and what a run of the
 * device benchmarks makes of them.
 *
 * <pre>
 * limits: 32/8, 1, 32K = 2.5
 * bench:  | 32/8, 1, 32K | 54.1 | 19.2 | 2.81 | ...     case, fp16 us, 2 bit us, ratio
 * </pre>
 */
final class BenchLimits {
  private static final Pattern LIMIT = Pattern.compile("(\\d+/\\d+, \\d+, \\d+K) = (\\d+\\.\\d+)");
  private static final Pattern ROW =
      Pattern.compile("\\| (\\d+/\\d+, \\d+, \\d+K) \\| [\\d.]+ \\| [\\d.]+ \\| ([\\d.]+) \\|.*");

  private BenchLimits() {}

  /** The committed ones, by case. */
  static Map<String, Double> committed() {
    try (InputStream in = BenchLimits.class.getResourceAsStream("gpu-limits.txt")) {
      return parse(LIMIT, new String(in.readAllBytes(), StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** One line for every case that is slower than its limit or was not measured. */
  static List<String> violations(Map<String, Double> limits, String bench) {
    Map<String, Double> measured = parse(ROW, bench);
    List<String> violations = new ArrayList<>();
    limits.forEach(
        (name, least) -> {
          Double ratio = measured.get(name);
          if (ratio == null) {
            violations.add(name + ": not measured");
          } else if (ratio < least) {
            violations.add(name + ": " + ratio + " times fp16, expected at least " + least);
          }
        });
    return violations;
  }

  private static Map<String, Double> parse(Pattern pattern, String text) {
    Map<String, Double> values = new LinkedHashMap<>();
    text.lines()
        .map(pattern::matcher)
        .filter(Matcher::matches)
        .forEach(match -> values.put(match.group(1), Double.valueOf(match.group(2))));
    return values;
  }
}
