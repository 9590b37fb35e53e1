package org.sinkq.bench;

import java.util.List;
import java.util.Locale;
import org.sinkq.AttentionBackends;
import org.sinkq.BackendConfig;
import org.sinkq.KvCacheSpec;
import org.sinkq.ModelShape;

/** Bytes of a cache at the published setting, everything allocated counted. Computed, not timed. */
final class MemoryTable {
  private static final List<Workload> WORKLOADS =
      List.of(Workload.d128(32, 32 * 1024), Workload.d64(30, 32 * 1024));

  private MemoryTable() {}

  /** How many times smaller than fp16 a backend for one sequence of {@code tokens} is. */
  static double ratio(ModelShape shape, int tokens) {
    return 1.0 * shape.fp16BytesPerToken() * tokens / bytes(shape, tokens);
  }

  private static long bytes(ModelShape shape, int tokens) {
    KvCacheSpec spec = KvCacheSpec.builder().capacityTokens(tokens).build();
    return AttentionBackends.requiredBytes(BackendConfig.of(shape, spec), "cpu");
  }

  static String markdown() {
    StringBuilder table =
        new StringBuilder(
            """
            ### Memory of one sequence, everything allocated counted

            | shape | layers | tokens | fp16 | 2 bit, sinks | ratio |
            |---|---|---|---|---|---|
            """);
    for (Workload workload : WORKLOADS) {
      for (int tokens : new int[] {4 * 1024, 8 * 1024, 32 * 1024, 128 * 1024}) {
        ModelShape shape = workload.shape();
        table.append(
            String.format(
                Locale.ROOT,
                "| %s | %d | %,d | %,.1f MiB | %,.1f MiB | %.2fx |%n",
                workload.label(),
                shape.numLayers(),
                tokens,
                (double) shape.fp16BytesPerToken() * tokens / (1 << 20),
                (double) bytes(shape, tokens) / (1 << 20),
                ratio(shape, tokens)));
      }
    }
    return table.toString();
  }
}
