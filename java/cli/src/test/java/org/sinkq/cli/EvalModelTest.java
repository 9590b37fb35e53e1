package org.sinkq.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A short evaluation on real weights: orders that hold whatever the text. */
@Tag("model")
final class EvalModelTest {
  private static final String MODEL = System.getProperty("sinkq.model");

  @Test
  void moreBitsAreCloserToFp16() {
    Cli run =
        Cli.run("eval", "--model=" + MODEL, "--tokens=200", "--kv=int4,sinkq2:window=0", "--json");
    assertEquals(0, run.code(), run.err());
    Matcher divergence = Pattern.compile("\"meanKl\":([\\d.E-]+)").matcher(run.out());
    double[] kl = divergence.results().mapToDouble(m -> Double.parseDouble(m.group(1))).toArray();
    assertEquals(3, kl.length, run.out());
    assertEquals(0, kl[0]);
    assertTrue(kl[1] > 0 && kl[1] < kl[2], run.out());
    Matcher perplexity = Pattern.compile("\"perplexity\":([\\d.]+)").matcher(run.out());
    assertTrue(perplexity.find());
    double fp16 = Double.parseDouble(perplexity.group(1));
    assertTrue(fp16 > 1.5 && fp16 < 100, "what the model wrote itself: " + run.out());
  }
}
