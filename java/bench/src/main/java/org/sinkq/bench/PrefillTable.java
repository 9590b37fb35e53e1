package org.sinkq.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.LongSupplier;
import org.sinkq.bench.Workload.Cache;

/** Attention of a prompt's chunk near 8K tokens of context. */
final class PrefillTable {
  /** Rows of the chunk. */
  static final int ROWS = 256;

  private static final int LAYERS = 30;
  private static final List<Cache> CACHES = List.of(Cache.FP32, Cache.FP16, Cache.SINKQ2);

  private PrefillTable() {}

  static String markdown(Effort effort) {
    Workload workload = Workload.d64(1, 8 * 1024 - ROWS);
    List<FilledCache> caches = new ArrayList<>();
    try {
      List<LongSupplier> chunks = new ArrayList<>();
      for (Cache cache : CACHES) {
        FilledCache filled = new FilledCache(workload, cache, effort.threads());
        caches.add(filled);
        chunks.add(filled.chunk(ROWS));
      }
      Interleaved runs = Interleaved.run(effort.warmup() / 2, effort.rounds(), chunks);
      StringBuilder table =
          new StringBuilder(
              String.format(
                  Locale.ROOT,
                  """
                  ### Prefill attention, a chunk of %d rows up to 8,192 tokens, %s, %d thread(s)

                  | | fp32 | fp16 | 2 bit, sinks |
                  |---|---|---|---|
                  | tokens/s for %d layers |\
                  """,
                  ROWS,
                  workload.label(),
                  effort.threads(),
                  LAYERS));
      for (int i = 0; i < CACHES.size(); i++) {
        table.append(
            String.format(Locale.ROOT, " %.0f |", ROWS / (runs.median(i) * 1e-9) / LAYERS));
      }
      return table.append('\n').toString();
    } finally {
      caches.forEach(FilledCache::close);
    }
  }
}
