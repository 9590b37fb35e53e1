package org.sinkq.llm.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Comparator;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.sinkq.InvalidArgumentException;

class SamplerTest {
  private static final float NEVER = Float.NEGATIVE_INFINITY;

  private static float[] logitsOf(double... probabilities) {
    float[] logits = new float[probabilities.length];
    for (int i = 0; i < logits.length; i++) {
      logits[i] = (float) Math.log(probabilities[i]);
    }
    return logits;
  }

  private static int[] draw(SamplingOptions options, float[] logits, int count) {
    Sampler sampler = new Sampler(options);
    return IntStream.range(0, count).map(i -> sampler.sample(logits)).toArray();
  }

  /** Tokens that come up at all. */
  private static Set<Integer> support(SamplingOptions options, float[] logits) {
    return Arrays.stream(draw(options, logits, 2000)).boxed().collect(Collectors.toSet());
  }

  private static void assertSupport(SamplingOptions options, float[] logits, Integer... expected) {
    assertEquals(Set.of(expected), support(options, logits));
  }

  @Test
  void greedyTakesTheLargestAndOfEqualOnesTheLowest() {
    Sampler sampler = new Sampler(SamplingOptions.GREEDY);
    assertEquals(2, sampler.sample(new float[] {1, -3, 7, 7, 2}));
    assertEquals(0, sampler.sample(new float[] {-5, -5, -5}));
    assertEquals(1, sampler.sample(new float[] {NEVER, -1e30f}));
    assertEquals(0, sampler.sample(new float[] {3}));
  }

  @Test
  void theSeedDecides() {
    float[] logits = logitsOf(0.2, 0.2, 0.2, 0.2, 0.2);
    int[] first = draw(SamplingOptions.of(1, 5), logits, 100);
    assertArrayEquals(first, draw(SamplingOptions.of(1, 5), logits, 100));
    assertNotEquals(
        Arrays.toString(first), Arrays.toString(draw(SamplingOptions.of(1, 6), logits, 100)));
  }

  /** Pins the generator: a seed must mean the same text in every release and on every machine. */
  @Test
  void theSequenceOfASeedStaysTheSame() {
    float[] logits = new float[8];
    assertArrayEquals(
        new int[] {5, 1, 2, 2, 0, 6, 1, 6, 2, 4, 1, 3},
        draw(SamplingOptions.of(1, 42), logits, 12));
  }

  @Test
  void frequenciesFollowTheSoftmaxAtTheTemperature() {
    SplittableRandom random = new SplittableRandom(7);
    float[] logits = new float[20];
    for (int i = 0; i < logits.length; i++) {
      logits[i] = (float) random.nextGaussian();
    }
    for (double temperature : new double[] {0.5, 1, 2}) {
      double[] weights = weights(logits, temperature);
      assertChiSquare(weights, draw(SamplingOptions.of(temperature, 8), logits, 200_000));
      // The filters keep everything here but take other paths.
      assertChiSquare(
          weights, draw(SamplingOptions.of(temperature, 9).withTopK(20), logits, 200_000));
      assertChiSquare(
          weights, draw(SamplingOptions.of(temperature, 10).withTopP(1 - 1e-12), logits, 200_000));
    }
  }

  private static double[] weights(float[] logits, double temperature) {
    double[] weights = new double[logits.length];
    for (int i = 0; i < logits.length; i++) {
      weights[i] = Math.exp(logits[i] / temperature);
    }
    return weights;
  }

  private static void assertChiSquare(double[] weights, int[] draws) {
    double mass = Arrays.stream(weights).sum();
    int[] counts = new int[weights.length];
    for (int token : draws) {
      counts[token]++;
    }
    double chiSquare = 0;
    for (int i = 0; i < weights.length; i++) {
      double expected = draws.length * weights[i] / mass;
      chiSquare += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    // 19 degrees of freedom: 43.8 is exceeded with probability 0.001.
    assertTrue(chiSquare < 43.8, "chiSquare=" + chiSquare);
  }

  @Test
  void topKKeepsTheMostProbable() {
    SamplingOptions options = SamplingOptions.of(1, 1);
    float[] logits = logitsOf(0.1, 0.3, 0.2, 0.3, 0.1);
    assertSupport(options.withTopK(1), logits, 1);
    assertSupport(options.withTopK(2), logits, 1, 3);
    assertSupport(options.withTopK(4), logits, 0, 1, 2, 3);
    assertSupport(options.withTopK(99), logits, 0, 1, 2, 3, 4);
    assertSupport(options.withTopK(0), logits, 0, 1, 2, 3, 4);
  }

  @Test
  void topPKeepsTheFewestThatReachIt() {
    SamplingOptions options = SamplingOptions.of(1, 2);
    float[] logits = logitsOf(0.2, 0.5, 0.3);
    assertSupport(options.withTopP(1e-9), logits, 1);
    assertSupport(options.withTopP(0.49), logits, 1);
    assertSupport(options.withTopP(0.51), logits, 1, 2);
    assertSupport(options.withTopP(0.79), logits, 1, 2);
    assertSupport(options.withTopP(0.81), logits, 0, 1, 2);
    assertSupport(options.withTopP(1), logits, 0, 1, 2);
  }

  @Test
  void topPCountsAmongWhatTopKKept() {
    float[] logits = logitsOf(0.4, 0.3, 0.2, 0.1);
    SamplingOptions options = SamplingOptions.of(1, 3).withTopP(0.5);
    assertSupport(options, logits, 0, 1);
    assertSupport(options.withTopK(2), logits, 0); // 0.4 / 0.7
  }

  @Test
  void minPIsRelativeToTheMostProbable() {
    SamplingOptions options = SamplingOptions.of(1, 4);
    float[] logits = logitsOf(0.5, 0.3, 0.2);
    assertSupport(options.withMinP(0.39), logits, 0, 1, 2);
    assertSupport(options.withMinP(0.41), logits, 0, 1);
    assertSupport(options.withMinP(0.61), logits, 0);
    // At temperature 2 the ratios are the square roots.
    SamplingOptions warm = SamplingOptions.of(2, 4).withMinP(0.61);
    assertSupport(warm, logits, 0, 1, 2);
    assertSupport(warm.withMinP(0.65).withTopK(2), logits, 0, 1);
  }

  @Test
  void aTokenThatIsRuledOutNeverComes() {
    float[] logits = {0, NEVER, 0, NEVER};
    for (SamplingOptions options :
        new SamplingOptions[] {
          SamplingOptions.of(100, 1),
          SamplingOptions.of(100, 1).withTopK(4),
          SamplingOptions.of(100, 1).withTopP(0.9999),
          SamplingOptions.of(100, 1).withMinP(1e-300)
        }) {
      assertSupport(options, logits, 0, 2);
    }
  }

  @Test
  void aTinyTemperatureIsGreedyAndNotAnError() {
    assertSupport(SamplingOptions.of(1e-300, 1), new float[] {-1e30f, 3, 2.999f, 1e-30f}, 1);
    assertSupport(SamplingOptions.of(1e-9, 1).withTopP(0.9), new float[] {5, 3, 4.9f}, 0);
  }

  /** The heap must choose as a full sort would, ties included. */
  @Test
  void agreesWithAFullSort() {
    for (long seed = 0; seed < 500; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      float[] logits = new float[1 + random.nextInt(60)];
      for (int i = 0; i < logits.length; i++) {
        logits[i] = random.nextInt(8) * 0.5f;
      }
      SamplingOptions options =
          new SamplingOptions(
              0.5 + random.nextDouble(),
              random.nextInt(3) * random.nextInt(20),
              random.nextBoolean() ? 1 : 0.05 + 0.9 * random.nextDouble(),
              random.nextBoolean() ? 0 : 0.5 * random.nextDouble(),
              seed);
      assertEquals(sorted(options, logits), new Sampler(options).sample(logits), "seed=" + seed);
    }
  }

  /** Of many tokens only likely ones are put in order, which must not show. */
  @Test
  void agreesWithAFullSortOfAVocabulary() {
    SplittableRandom random = new SplittableRandom(11);
    float[] logits = new float[20_000];
    for (int i = 0; i < logits.length; i++) {
      logits[i] = (float) (3 * random.nextGaussian());
    }
    for (long seed = 0; seed < 60; seed++) {
      int topK = seed % 2 == 0 ? 0 : random.nextInt(2 * logits.length);
      double topP = seed % 3 == 0 ? 1 : random.nextDouble(0.01, 0.9999);
      double temperature = random.nextDouble(0.1, 3);
      SamplingOptions options = new SamplingOptions(temperature, topK, topP, 0, seed);
      assertEquals(sorted(options, logits), new Sampler(options).sample(logits), "seed=" + seed);
    }
  }

  private static int sorted(SamplingOptions options, float[] logits) {
    double[] p = weights(logits, options.temperature());
    double max = Arrays.stream(p).max().getAsDouble();
    boolean ordered = options.topK() > 0 || options.topP() < 1;
    int[] ids =
        IntStream.range(0, logits.length)
            .filter(i -> p[i] >= options.minP() * max)
            .boxed()
            .sorted(Comparator.comparingDouble(i -> ordered ? -logits[i] : 0))
            .mapToInt(i -> i)
            .limit(options.topK() > 0 ? options.topK() : Long.MAX_VALUE)
            .toArray();
    double target = options.topP() * Arrays.stream(ids).mapToDouble(i -> p[i]).sum();
    int count = 0;
    double mass = 0;
    while (count < ids.length && (mass < target || options.topP() == 1)) {
      mass += p[ids[count++]];
    }
    double left = new SplittableRandom(options.seed()).nextDouble() * mass;
    int at = 0;
    while (at < count - 1 && left >= p[ids[at]]) {
      left -= p[ids[at++]];
    }
    return ids[at];
  }

  @Test
  void refusesLogitsThatAreNoNumbers() {
    assertMessage(
        "logits[1]=NaN, expected a finite number or -Infinity", new float[] {0, Float.NaN});
    assertMessage(
        "logits[0]=Infinity, expected a finite number or -Infinity",
        new float[] {Float.POSITIVE_INFINITY});
    assertMessage("logits=all -Infinity, expected a finite one", new float[] {NEVER, NEVER});
    assertMessage("logits=[], expected at least one", new float[0]);
  }

  private static void assertMessage(String message, float[] logits) {
    for (SamplingOptions options :
        new SamplingOptions[] {SamplingOptions.GREEDY, SamplingOptions.of(1, 1)}) {
      assertEquals(
          message,
          assertThrows(InvalidArgumentException.class, () -> new Sampler(options).sample(logits))
              .getMessage());
    }
  }
}
