package org.sinkq.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.sinkq.KvCodec;
import org.sinkq.cuda.PageBench.Crafter;

/**
 * What attention makes of pages that no kernel has written: every code's place, masked tokens,
 * pages in any order. Up to 8 rows go to the kernel attend, more to prefill.
 */
abstract class PageReadingContract {
  private static final double TOLERANCE = 1.5e-3;

  /** A device of the test's own. */
  abstract CudaDevice device();

  /**
   * Every key code, and every value code, is in one page the only one of its channel. A query of
   * one channel finds the token that has the key's code, by the minimum and scale of its values.
   */
  @ParameterizedTest
  @CsvSource({
    "64, INT2, 128, 8",
    "64, INT4, 32, 16",
    "80, INT2, 64, 20",
    "192, INT2, 32, 48",
    "64, INT2_ADAPTIVE, 128, 8",
    "80, INT2_ADAPTIVE, 128, 20",
    "192, INT2_ADAPTIVE, 128, 48"
  })
  void oneCodeAtEveryPosition(int dim, KvCodec codec, int pageTokens, int rows) {
    int most = (1 << codec.bits()) - 1;
    float sharp = 20 * (float) Math.sqrt(dim) / most;
    // A token without codes is -1.5 of its scale, up to 2, in every rotated channel of a block.
    double magnitude =
        codec == KvCodec.INT2_ADAPTIVE ? 3 * Math.sqrt(dim) : most + pageTokens / 8.0;
    try (PageBench bench = new PageBench(device(), dim, codec, pageTokens, 1)) {
      for (int first = 0; first < pageTokens; first += PageBench.KV_HEADS) {
        int shift = first;
        bench.craft((page, index, head) -> oneCode(page, shift + head), 0);
        for (int channel = 0; channel < dim; channel += rows * PageBench.GROUP) {
          float[] queries = new float[rows * PageBench.QUERY_HEADS * dim];
          for (int i = 0; i < rows * PageBench.QUERY_HEADS; i++) {
            int row = i / PageBench.QUERY_HEADS;
            int c = channel + row * PageBench.GROUP + i % PageBench.GROUP;
            if (c < dim) {
              queries[i * dim + c] = sharp;
            }
          }
          check("from token " + first + ", channel " + channel, bench, queries, magnitude);
        }
      }
    }
  }

  private static void oneCode(CraftedPage page, int shift) {
    int tokens = page.masked.length;
    int dim = page.keyMin.length;
    if (page instanceof CraftedAdaptivePage adaptive) {
      adaptive.giveDigits(shift);
    }
    for (int d = 0; d < dim; d++) {
      page.keyCodes[(shift + 5 * d) % tokens][d] = page.mostKeyCode(d);
      page.valueCodes[(shift + 5 * (dim - 1 - d)) % tokens][d] = page.mostValueCode();
    }
    for (int t = 0; t < tokens; t++) {
      page.valueMin[t] = t / 8f;
      int eighths = t / 16;
      page.valueScale[t] = 1 + eighths / 8f;
    }
  }

  private static void check(String what, PageBench bench, float[] queries, double magnitude) {
    double[] expected = bench.expected(queries);
    float[] actual = bench.run(queries);
    for (int i = 0; i < actual.length; i++) {
      int at = i;
      assertEquals(expected[i], actual[i], TOLERANCE * magnitude, () -> what + ", element " + at);
    }
  }

  private static float[] normal(Random random, int length, float size) {
    float[] x = new float[length];
    for (int i = 0; i < length; i++) {
      x[i] = size * (float) random.nextGaussian();
    }
    return x;
  }

  private static Crafter random(long seed) {
    return (page, index, head) -> {
      Random random = new Random(seed + 31L * index + head);
      if (page instanceof CraftedAdaptivePage adaptive) {
        adaptive.giveDigits(random.nextLong());
        for (int d = 0; d < adaptive.valueMean.length; d++) {
          adaptive.valueMean[d] = random.nextInt(64) / 128f;
        }
      }
      for (int t = 0; t < page.masked.length; t++) {
        for (int d = 0; d < page.keyMin.length; d++) {
          page.keyCodes[t][d] = random.nextInt(page.mostKeyCode(d) + 1);
          page.valueCodes[t][d] = random.nextInt(page.mostValueCode() + 1);
        }
        page.valueScale[t] = (1 + random.nextInt(16)) / 16f;
        page.valueMin[t] = random.nextInt(64) / -32f;
        page.masked[t] = random.nextInt(10) == 0;
      }
      for (int d = 0; d < page.keyMin.length; d++) {
        page.keyScale[d] = (1 + random.nextInt(16)) / 4f / (page.mostKeyCode(d) + 1);
        page.keyMin[d] = random.nextInt(64) / -32f;
      }
    };
  }

  /** Pages in any order among others full of NaN give the bits that they give in order. */
  @ParameterizedTest
  @CsvSource({
    "64, INT2, 128, 1",
    "64, INT2, 64, 16",
    "128, INT4, 32, 2",
    "96, INT4, 128, 12",
    "64, INT2_ADAPTIVE, 128, 1",
    "128, INT2_ADAPTIVE, 128, 2",
    "256, INT2_ADAPTIVE, 128, 1",
    "96, INT2_ADAPTIVE, 128, 12"
  })
  void pagesInAnyOrderAmongPoisonedOnes(int dim, KvCodec codec, int pageTokens, int rows) {
    long seed = 77;
    Random random = new Random(seed);
    float[] queries = normal(random, rows * PageBench.QUERY_HEADS * dim, 1);
    try (PageBench bench = new PageBench(device(), dim, codec, pageTokens, 9)) {
      bench.craft(random(seed), 0, 1, 2);
      check("in order, seed " + seed, bench, queries, 1);
      float[] inOrder = bench.run(queries);
      bench.craft(random(seed), 7, 2, 4);
      assertArrayEquals(inOrder, bench.run(queries), "permuted, seed " + seed);
    }
  }

  /**
   * Products of queries and scales are kept in 16 bits where those are enough, and in more where a
   * page has larger ones; both in one run.
   */
  @ParameterizedTest
  @CsvSource({
    "64, INT2, 128, 1",
    "128, INT2, 128, 4",
    "80, INT2, 32, 1",
    "64, INT4, 128, 4",
    "64, INT2_ADAPTIVE, 128, 1",
    "128, INT2_ADAPTIVE, 128, 4",
    "96, INT2_ADAPTIVE, 128, 1"
  })
  void queriesOfEverySize(int dim, KvCodec codec, int pageTokens, int rows) {
    long seed = 78;
    Random random = new Random(seed);
    try (PageBench bench = new PageBench(device(), dim, codec, pageTokens, 3)) {
      bench.craft(random(seed), 0, 1, 2);
      for (float size : new float[] {1e-30f, 0.01f, 1, 2, 4, 6, 9, 14, 40, 1000, 1e30f}) {
        float[] queries = normal(random, rows * PageBench.QUERY_HEADS * dim, size);
        int magnitude = codec == KvCodec.INT4 ? 15 : 1;
        check("queries of " + size + ", seed " + seed, bench, queries, magnitude);
      }
    }
  }

  /** A query that is too large for one product of 16 bits, in one channel of one column. */
  @ParameterizedTest
  @CsvSource({"64, 1", "80, 1", "128, 4", "192, 1", "256, 1"})
  void oneLargeQuery(int dim, int rows) {
    long seed = 79;
    Random random = new Random(seed);
    int columns = rows * PageBench.QUERY_HEADS;
    int[] within = {0, 9, 3, 14};
    try (PageBench bench = new PageBench(device(), dim, KvCodec.INT2, 128, 2)) {
      bench.craft(random(seed), 0, 1);
      for (int i = 0; i < 8; i++) {
        float[] queries = normal(random, columns * dim, 1);
        int column = i * (columns - 1) / 7;
        int channel = (i * dim / 8 + within[i % 4]) % dim;
        queries[column * dim + channel] = 100;
        check("100 in channel " + channel + " of column " + column, bench, queries, 1);
      }
    }
  }

  /** Queries of zeros give the mean of what is visible. */
  @ParameterizedTest
  @CsvSource({
    "64, INT2, 128, 1",
    "64, INT2, 32, 16",
    "64, INT2_ADAPTIVE, 128, 1",
    "128, INT2_ADAPTIVE, 128, 16"
  })
  void zeroQueriesGiveTheMean(int dim, KvCodec codec, int pageTokens, int rows) {
    try (PageBench bench = new PageBench(device(), dim, codec, pageTokens, 2)) {
      bench.craft(random(5), 1, 0);
      check("q = 0", bench, new float[rows * PageBench.QUERY_HEADS * dim], 1);
    }
  }
}
