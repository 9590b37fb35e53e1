package org.sinkq.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.LongSupplier;
import org.sinkq.bench.Workload.Cache;

/** Decode attention of one sequence, by shape and codec, on one thread and on all. */
final class DecodeTable {
  private static final List<Cache> CACHES =
      List.of(Cache.FP32, Cache.FP16, Cache.INT4, Cache.KIVI2, Cache.SINKQ2, Cache.SINKQ2A);

  private DecodeTable() {}

  static String markdown(Effort effort) {
    StringBuilder table = new StringBuilder();
    table.append(
        String.format(
            Locale.ROOT,
            """
            ### Decode attention over %,d tokens, batch 1

            Nanoseconds per token, layer and KV head (median of %d rounds); ratios are medians over rounds, with their range.

            | shape | threads | fp32 | fp16 | 4 bit | 2 bit, no sinks | 2 bit, sinks | 2 bit, adaptive | fp32 : 2 bit | fp16 : 2 bit | fp16 : adaptive |
            |---|---|---|---|---|---|---|---|---|---|---|
            """,
            effort.tokens(),
            effort.rounds()));
    int[] counts = effort.threads() == 1 ? new int[] {1} : new int[] {1, effort.threads()};
    for (Workload workload : List.of(effort.d128(effort.tokens()), effort.d64(effort.tokens()))) {
      for (int threads : counts) {
        table.append(row(workload, threads, effort));
      }
    }
    return table.toString();
  }

  private static String row(Workload workload, int threads, Effort effort) {
    List<FilledCache> caches = new ArrayList<>();
    try {
      List<LongSupplier> steps = new ArrayList<>();
      for (Cache cache : CACHES) {
        FilledCache filled = new FilledCache(workload, cache, threads);
        caches.add(filled);
        steps.add(filled::step);
      }
      Interleaved runs = Interleaved.run(effort.warmup(), effort.rounds(), steps);
      StringBuilder row = new StringBuilder("| " + workload.label() + " | " + threads);
      for (int i = 0; i < steps.size(); i++) {
        row.append(String.format(Locale.ROOT, " | %.1f", runs.median(i) / workload.units()));
      }
      int sinkq = CACHES.indexOf(Cache.SINKQ2);
      row.append(" | ").append(runs.ratio(CACHES.indexOf(Cache.FP32), sinkq));
      int fp16 = CACHES.indexOf(Cache.FP16);
      row.append(" | ").append(runs.ratio(fp16, sinkq));
      row.append(" | ").append(runs.ratio(fp16, CACHES.indexOf(Cache.SINKQ2A)));
      return row.append(" |\n").toString();
    } finally {
      caches.forEach(FilledCache::close);
    }
  }
}
