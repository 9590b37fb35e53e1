package org.sinkq.cuda;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.ToDoubleFunction;

/** The benchmark's table as plots: time over context, and the roof that memory sets. */
final class BenchPlots {
  private static final int DIM = 128;

  /**
   * One row of the table.
   *
   * @param shape query heads, KV heads, batch, context
   * @param dense microseconds over fp16 pages
   * @param int2 microseconds over 2-bit pages
   * @param torch microseconds of PyTorch, 0 if unknown
   * @param denseBytes bytes that attention has to read
   * @param int2Bytes the same of 2-bit pages
   */
  record Row(
      int[] shape, double dense, double int2, double torch, long denseBytes, long int2Bytes) {
    private double operations() {
      return 4.0 * DIM * shape[0] * shape[2] * shape[3];
    }
  }

  private final List<Row> rows = new ArrayList<>();

  void add(Row row) {
    rows.add(row);
  }

  /** Microseconds over thousands of tokens, 32/8 heads, for batches of 1 and 8. */
  String times() {
    LogPlot plot =
        new LogPlot(
            "Attention of one layer, 32/8 heads, D = 128", "context, K tokens", "microseconds");
    for (int batch : new int[] {1, 8}) {
      times(plot, "PyTorch fp16, batch " + batch, batch, Row::torch);
      times(plot, "fp16 pages, batch " + batch, batch, Row::dense);
      times(plot, "2 bit, batch " + batch, batch, Row::int2);
    }
    return plot.svg(2, 10);
  }

  private void times(LogPlot plot, String name, int batch, ToDoubleFunction<Row> micros) {
    plot.add(
        name,
        true,
        rows.stream()
            .filter(r -> r.shape[0] == 32 && r.shape[1] == 8 && r.shape[2] == batch)
            .filter(r -> micros.applyAsDouble(r) > 0)
            .sorted(Comparator.comparingInt(r -> r.shape[3]))
            .map(r -> new double[] {r.shape[3] / 1024.0, micros.applyAsDouble(r)})
            .toList());
  }

  /** Arithmetic over operations per byte, below the line of the copy rate. */
  String roofline(double copyGigabytes) {
    LogPlot plot =
        new LogPlot(
            "Roof of memory at the rate of a copy", "operations per byte", "10^9 operations/s");
    List<double[]> roof = new ArrayList<>();
    for (double intensity : new double[] {1, 100}) {
      roof.add(new double[] {intensity, intensity * copyGigabytes});
    }
    plot.add("copy rate", true, roof);
    plot.add("fp16 pages", false, rows.stream().map(r -> point(r, r.denseBytes, r.dense)).toList());
    plot.add("2 bit", false, rows.stream().map(r -> point(r, r.int2Bytes, r.int2)).toList());
    return plot.svg(10, 10);
  }

  private static double[] point(Row row, long bytes, double micros) {
    return new double[] {row.operations() / bytes, row.operations() / (micros * 1e-6) / 1e9};
  }
}
