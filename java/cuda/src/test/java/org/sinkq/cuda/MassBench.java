package org.sinkq.cuda;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.SinkPolicy;

/** What it costs a layer that sinks go by attention mass instead of key norm. */
final class MassBench {
  private static final int DIM = 128;

  /** Heads of queries and keys, batch and context of decode steps. */
  private static final int[][] STEPS = {
    {32, 8, 1, 8 << 10}, {32, 8, 1, 32 << 10}, {32, 8, 8, 32 << 10}, {32, 8, 32, 8 << 10}
  };

  /** Tokens in pages and rows of prompts. */
  private static final int[][] PROMPTS = {{0, 8 << 10}, {0, 2 << 10}, {8 << 10, 64}};

  private static final SinkPolicy MOST_ATTENDED =
      new SinkPolicy(
          SinkPolicy.DEFAULT.poolTokens(),
          SinkPolicy.DEFAULT.spillTokens(),
          SinkPolicy.Selection.MOST_ATTENDED);

  private MassBench() {}

  /** Measures; a table in Markdown. */
  static List<String> rows(CudaDevice device, CudaKernels kernels) {
    List<String> rows = new ArrayList<>();
    rows.add("| sinks by | key norm, us | attention mass, us | ratio |");
    rows.add("|---|---|---|---|");
    for (KvCodec codec : new KvCodec[] {KvCodec.INT2, KvCodec.INT2_ADAPTIVE}) {
      for (int[] c : STEPS) {
        String name =
            String.format("decode, %s, %d/%d, %d, %dK", codec, c[0], c[1], c[2], c[3] >> 10);
        double plain = step(device, kernels, codec, SinkPolicy.DEFAULT, c);
        rows.add(row(name, plain, step(device, kernels, codec, MOST_ATTENDED, c)));
      }
    }
    for (int[] c : PROMPTS) {
      String name = String.format("all kernels of %d rows, 32/8, after %d in pages", c[1], c[0]);
      double plain = prompt(device, kernels, SinkPolicy.DEFAULT, c);
      rows.add(row(name, plain, prompt(device, kernels, MOST_ATTENDED, c)));
    }
    return rows;
  }

  private static String row(String name, double plain, double mass) {
    return String.format(
        Locale.ROOT, "| %s | %.1f | %.1f | %.2f |", name, plain, mass, mass / plain);
  }

  private static double step(
      CudaDevice device, CudaKernels kernels, KvCodec codec, SinkPolicy sinks, int[] c) {
    int[] heads = {c[0], c[1]};
    KvCacheSpec.Builder cache = KvCacheSpec.builder().codec(codec).sinks(sinks);
    try (BenchCase bench = new BenchCase(device, kernels, cache, heads, c[2], c[3])) {
      return bench.attendMicros();
    }
  }

  private static double prompt(CudaDevice device, CudaKernels kernels, SinkPolicy sinks, int[] c) {
    int[] heads = {32, 8};
    try (PromptCase prompt = new PromptCase(device, kernels, sinks, heads, DIM, c[0], c[1])) {
      PromptCase.Times times = prompt.run();
      return 1000 * times.all();
    }
  }
}
