package org.sinkq.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

/** Which rows of the table go into which plot. */
class BenchPlotsTest {
  private static BenchPlots.Row row(int qo, int kv, int batch, int context, double torch) {
    long dense = 2L * 128 * 2 * kv * batch * context;
    return new BenchPlots.Row(new int[] {qo, kv, batch, context}, 40, 10, torch, dense, dense / 7);
  }

  @Test
  void timesAreThoseOfTheUsualHeads() throws Exception {
    BenchPlots plots = new BenchPlots();
    plots.add(row(32, 8, 1, 32 << 10, 0));
    plots.add(row(32, 8, 1, 8 << 10, 30));
    plots.add(row(64, 8, 1, 8 << 10, 30));
    plots.add(row(32, 8, 8, 32 << 10, 0));
    var svg = LogPlotTest.parse(plots.times());
    List<String> texts = LogPlotTest.texts(svg);
    assertTrue(texts.contains("2 bit, batch 8"), texts.toString());
    assertTrue(texts.contains("PyTorch fp16, batch 1"), texts.toString());
    assertFalse(texts.contains("PyTorch fp16, batch 8"), "a time of 0 is none: " + texts);
    // Of batch 1 one of PyTorch and two of each cache, of batch 8 one of each cache.
    assertEquals(7, LogPlotTest.circles(svg).size());
  }

  @Test
  void everyCaseIsBelowTheRoof() throws Exception {
    BenchPlots plots = new BenchPlots();
    plots.add(row(32, 8, 8, 32 << 10, 0));
    plots.add(row(32, 32, 1, 8 << 10, 0));
    var svg = LogPlotTest.parse(plots.roofline(1e6));
    List<double[]> points = LogPlotTest.circles(svg);
    assertEquals(2 + 4, points.size());
    double slope = (points.get(1)[1] - points.get(0)[1]) / (points.get(1)[0] - points.get(0)[0]);
    for (double[] point : points.subList(2, 6)) {
      double roof = points.get(0)[1] + slope * (point[0] - points.get(0)[0]);
      assertTrue(point[1] > roof, "y=" + point[1] + " is above the roof at y=" + roof);
    }
  }

  /**
   * 4 operations for a channel of a query head and token, 2 bytes for one of a KV head and token.
   */
  @Test
  void intensityIsOperationsOverBytes() throws Exception {
    BenchPlots plots = new BenchPlots();
    // 4 query heads on a KV head: 4 * 4 operations for 4 bytes.
    plots.add(row(32, 8, 1, 8 << 10, 0));
    var svg = LogPlotTest.parse(plots.roofline(1000));
    List<double[]> points = LogPlotTest.circles(svg);
    double one = points.get(0)[0];
    double hundred = points.get(1)[0];
    assertEquals(
        one + (hundred - one) * Math.log10(4) / 2, points.get(2)[0], 0.11, "place of intensity 4");
  }
}
