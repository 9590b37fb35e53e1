package org.sinkq.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.sinkq.ModelShape;
import org.sinkq.bench.Workload.Cache;

/** Every benchmark body once, at toy size: it runs, and what it computes is not degenerate. */
class BenchmarksTest {
  private static final Effort TOY = new Effort(300, 1, 1, 3, 8, 2);

  @ParameterizedTest
  @EnumSource(Cache.class)
  void decodeAttends(Cache cache) {
    DecodeBenchmark benchmark = new DecodeBenchmark();
    benchmark.cache = cache;
    benchmark.headDim = "64";
    benchmark.tokens = 300;
    benchmark.threads = 2;
    benchmark.layers = 1;
    benchmark.fill();
    try {
      float[] first = benchmark.step();
      float[] second = benchmark.step();
      assertSpread(first);
      assertTrue(first[0] != second[0], "two steps with distinct queries gave " + first[0]);
    } finally {
      benchmark.close();
    }
  }

  /** Caches of all codecs hold the same tokens: their outputs differ by quantization only. */
  @Test
  void codecsAgree() {
    Workload workload = Workload.d64(1, 300);
    float[] exact = decode(workload, Cache.FP32);
    assertEquals(0, distance(exact, decode(workload, Cache.FP16)), 2e-3);
    assertEquals(0, distance(exact, decode(workload, Cache.INT4)), 0.2);
    assertEquals(0, distance(exact, decode(workload, Cache.SINKQ2)), 0.8);
    double published = distance(exact, decode(workload, Cache.SINKQ2));
    assertTrue(published > 1e-3);
    double adaptive = distance(exact, decode(workload, Cache.SINKQ2A));
    assertTrue(adaptive < published, adaptive + ", published " + published);
  }

  private static float[] decode(Workload workload, Cache cache) {
    try (FilledCache filled = new FilledCache(workload, cache, 1)) {
      filled.step();
      return filled.output();
    }
  }

  /** Root of the mean square of the difference, in units of that of {@code x}. */
  private static double distance(float[] x, float[] y) {
    double difference = 0;
    double size = 0;
    for (int i = 0; i < x.length; i++) {
      difference += Math.pow(x[i] - y[i], 2);
      size += Math.pow(x[i], 2);
    }
    return Math.sqrt(difference / size);
  }

  private static void assertSpread(float[] out) {
    float min = Float.POSITIVE_INFINITY;
    float max = Float.NEGATIVE_INFINITY;
    for (float x : out) {
      assertTrue(Float.isFinite(x), "output=" + x);
      min = Math.min(min, x);
      max = Math.max(max, x);
    }
    assertTrue(max - min > 0.05, "output spans " + min + " to " + max);
  }

  @Test
  void flushing() {
    FlushBenchmark benchmark = new FlushBenchmark();
    benchmark.cache = Cache.SINKQ2;
    benchmark.headDim = "128";
    benchmark.tokens = 300;
    benchmark.threads = 2;
    benchmark.layers = 1;
    benchmark.fill();
    try {
      assertSpread(benchmark.step());
      assertSpread(benchmark.flushingStep());
      assertSpread(benchmark.firstStep());
    } finally {
      benchmark.close();
    }
  }

  @Test
  void prefilling() {
    PrefillBenchmark benchmark = new PrefillBenchmark();
    benchmark.cache = Cache.SINKQ2;
    benchmark.headDim = "64";
    benchmark.tokens = 300;
    benchmark.rows = 40;
    benchmark.threads = 2;
    benchmark.fill();
    try {
      assertTrue(benchmark.chunk() > 0);
    } finally {
      benchmark.close();
    }
  }

  @Test
  void planning() {
    PlanBenchmark benchmark = new PlanBenchmark();
    benchmark.sequences = 8;
    benchmark.layers = 2;
    benchmark.threads = 1;
    benchmark.open();
    try {
      long before = benchmark.step();
      assertEquals(before + 8, benchmark.step());
      for (int i = 0; i < 200; i++) {
        assertTrue(benchmark.step() <= 8 * 128);
      }
    } finally {
      benchmark.close();
    }
  }

  @Test
  void tablesHaveNumbers() {
    for (String table :
        List.of(
            DecodeTable.markdown(TOY),
            StepTable.row(Workload.d64(1, 300), Cache.SINKQ2A, TOY),
            PlanTable.markdown(TOY),
            MemoryTable.markdown())) {
      assertTrue(table.contains("|"), table);
      assertTrue(!table.contains("NaN") && !table.contains("Infinity"), table);
    }
  }

  /** The sizes that the README claims; they follow from the layout, not from a measurement. */
  @Test
  void memoryIsAsClaimed() {
    double d128 = MemoryTable.ratio(ModelShape.of(32, 32, 8, 128), 32 * 1024);
    double d64 = MemoryTable.ratio(ModelShape.of(30, 9, 3, 64), 32 * 1024);
    assertTrue(d128 >= 6.7, "D=128: " + d128);
    assertTrue(d64 >= 6.3, "D=64: " + d64);
  }

  /** What a decode step leaves to the garbage collector does not grow with the context. */
  @Test
  void garbageDoesNotDependOnContext() {
    long shorter = compiledGarbage(1024);
    long longer = compiledGarbage(4096);
    assertTrue(longer < shorter + 1024, "shorter=" + shorter + ", longer=" + longer);
  }

  /** Interpreted vector code allocates every vector; how soon it is compiled is not ours to say. */
  private static long compiledGarbage(int tokens) {
    long bytes = Long.MAX_VALUE;
    for (int attempt = 0; attempt < 50 && bytes > 8192; attempt++) {
      bytes = PlanTable.garbage(tokens, TOY);
    }
    assertTrue(bytes <= 8192, "bytes per layer=" + bytes + " at " + tokens + " tokens");
    return bytes;
  }
}
