package org.sinkq.cli.replay;

/**
 * A trace through {@link Formula}.
 *
 * @param out [T * Hq * D]
 * @param sinks positions of each KV head, ascending
 */
public record FormulaRun(double[] out, int[][] sinks) {
  /** Runs every KV head by itself. */
  public static FormulaRun of(
      TraceFiles trace, int prompt, int page, int window, int pool, int spill) {
    int tokens = trace.q().length;
    int qoHeads = trace.q()[0].length;
    int kvHeads = trace.k()[0].length;
    int dim = trace.q()[0][0].length;
    int group = qoHeads / kvHeads;
    double[] out = new double[tokens * qoHeads * dim];
    int[][] sinks = new int[kvHeads][];
    for (int head = 0; head < kvHeads; head++) {
      Formula formula = new Formula(page, window, pool, spill);
      int first = 0;
      while (first < tokens) {
        int rows = first == 0 ? Math.max(1, prompt) : 1;
        float[][] k = new float[rows][];
        float[][] v = new float[rows][];
        float[][][] q = new float[rows][group][];
        for (int i = 0; i < rows; i++) {
          k[i] = trace.k()[first + i][head];
          v[i] = trace.v()[first + i][head];
          System.arraycopy(trace.q()[first + i], head * group, q[i], 0, group);
        }
        double[][][] result = formula.step(k, v, q);
        for (int i = 0; i < rows; i++) {
          for (int g = 0; g < group; g++) {
            int at = ((first + i) * qoHeads + head * group + g) * dim;
            System.arraycopy(result[i][g], 0, out, at, dim);
          }
        }
        first += rows;
      }
      sinks[head] = formula.sinks();
    }
    return new FormulaRun(out, sinks);
  }
}
