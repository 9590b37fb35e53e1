package org.sinkq.bench;

import java.util.List;
import java.util.Locale;
import org.sinkq.bench.Workload.Cache;

/**
 * What appending and flushing cost beside attention. Appending is measured as a whole step on an
 * empty sequence, so it includes attention to one block and the step's fixed costs; flushing as the
 * difference between steps that flush and steps that do not, divided by the tokens of a page.
 */
final class StepTable {
  private StepTable() {}

  static String markdown(Effort effort) {
    StringBuilder table =
        new StringBuilder(
            String.format(
                Locale.ROOT,
                """
                ### A decode step of the 2-bit caches, %d thread(s)

                Microseconds per layer. Flush is spread over the %d tokens of a page.

                | shape | cache | context | step | append | flush | append + flush : attention |
                |---|---|---|---|---|---|---|
                """,
                effort.threads(),
                FilledCache.PAGE_TOKENS));
    for (int tokens : new int[] {8 * 1024, effort.tokens()}) {
      for (Workload workload : List.of(effort.d128(tokens), effort.d64(tokens))) {
        for (Cache cache : List.of(Cache.SINKQ2, Cache.SINKQ2A)) {
          table.append(row(workload, cache, effort));
        }
      }
      if (effort.tokens() == 8 * 1024) {
        break;
      }
    }
    return table.toString();
  }

  static String row(Workload workload, Cache kind, Effort effort) {
    try (FilledCache cache = new FilledCache(workload, kind, effort.threads())) {
      Interleaved runs =
          Interleaved.run(
              2 * effort.warmup(),
              2 * effort.rounds(),
              List.of(cache::step, cache::flushingStep, cache::firstStep));
      double perLayer = 1e3 * workload.shape().numLayers();
      double step = runs.median(0) / perLayer;
      double flush = (runs.median(1) - runs.median(0)) / perLayer / FilledCache.PAGE_TOKENS;
      double append = runs.median(2) / perLayer;
      return String.format(
          Locale.ROOT,
          "| %s | %s | %,d | %.0f | %.1f | %.1f | %.1f %% |\n",
          workload.label(),
          kind,
          workload.tokens(),
          step,
          append,
          flush,
          100 * (append + flush) / (step - append));
    }
  }
}
