package org.sinkq.cuda;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;

/** What a decode step's attention takes over pages of other sizes, and of 4 bits. */
final class PageSizeBench {
  private static final KvCodec[] CODECS = {KvCodec.INT2, KvCodec.INT4};
  private static final int[] SIZES = {128, 64, 32};

  /** Batch and context. */
  private static final int[][] STEPS = {{1, 8 << 10}, {1, 32 << 10}, {8, 8 << 10}, {8, 32 << 10}};

  private PageSizeBench() {}

  /** Measures; a table in Markdown. */
  static List<String> rows(CudaDevice device, CudaKernels kernels) {
    StringBuilder head = new StringBuilder("| 32/8 heads, batch, context, us |");
    for (KvCodec codec : CODECS) {
      for (int size : SIZES) {
        head.append(" %d bits, pages of %d |".formatted(codec.bits(), size));
      }
    }
    List<String> rows = new ArrayList<>();
    rows.add(head.toString());
    rows.add("|---" + "|---".repeat(CODECS.length * SIZES.length) + "|");
    for (int[] step : STEPS) {
      rows.add(row(device, kernels, step[0], step[1]));
    }
    return rows;
  }

  private static String row(CudaDevice device, CudaKernels kernels, int batch, int context) {
    StringBuilder row = new StringBuilder("| %d, %dK |".formatted(batch, context >> 10));
    int[] heads = {32, 8};
    for (KvCodec codec : CODECS) {
      for (int size : SIZES) {
        KvCacheSpec.Builder cache = KvCacheSpec.builder().codec(codec).pageTokens(size);
        try (BenchCase bench = new BenchCase(device, kernels, cache, heads, batch, context)) {
          row.append(String.format(Locale.ROOT, " %.1f |", bench.attendMicros()));
        }
      }
    }
    return row.toString();
  }
}
