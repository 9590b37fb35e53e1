package org.sinkq.cli.eval;

import java.util.List;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.sinkq.concurrent.WorkerPool;

/**
 * Scores the predictions of a comparison; the first contender is the one that others are held to.
 */
public final class Scoring {
  private final Comparison comparison;
  private final List<TokenScores> scores;

  private Scoring(Comparison comparison, int targets) {
    this.comparison = comparison;
    scores =
        IntStream.range(0, comparison.contenders().size())
            .mapToObj(c -> new TokenScores(targets))
            .toList();
  }

  /**
   * Runs windows and scores every prediction that counts.
   *
   * @param threads that share the work on the distributions
   * @param progress receives the tokens fed so far
   * @return scores of each contender, all with {@link Window#targets} entries for each window
   */
  public static List<TokenScores> run(
      Comparison comparison, List<Window> windows, int threads, IntConsumer progress) {
    Scoring scoring = new Scoring(comparison, windows.stream().mapToInt(Window::targets).sum());
    try (WorkerPool workers = WorkerPool.shared(threads)) {
      int before = 0;
      for (Window window : windows) {
        int fed = before;
        comparison.run(
            window,
            (first, targets, logits) -> scoring.add(window, first, targets, logits, workers),
            done -> progress.accept(fed + done));
        before += window.tokens().length - 1;
      }
    }
    return scoring.scores;
  }

  private void add(Window window, int first, int targets, float[][] logits, WorkerPool workers) {
    int begin = scores.getFirst().count();
    workers.run(
        targets,
        (i, worker) -> score(window.tokens()[first + i], begin + i, first + i, targets, i, logits));
    scores.forEach(s -> s.grow(targets));
  }

  private void score(int token, int entry, int position, int targets, int i, float[][] logits) {
    float[] reference = logits[i];
    double base = Distribution.logSumExp(reference);
    int favourite = Distribution.argMax(reference);
    double[] probability = new double[reference.length];
    for (int v = 0; v < probability.length; v++) {
      probability[v] = Math.exp(reference[v] - base);
    }
    for (int c = 0; c < comparison.contenders().size(); c++) {
      float[] other = logits[c * targets + i];
      double otherBase = c == 0 ? base : Distribution.logSumExp(other);
      double kl = 0;
      if (c > 0) {
        double shift = otherBase - base;
        for (int v = 0; v < probability.length; v++) {
          kl += probability[v] * (reference[v] - other[v] + shift);
        }
      }
      scores
          .get(c)
          .set(
              entry,
              position,
              otherBase - other[token],
              Math.max(0, kl),
              Distribution.argMax(other) == favourite);
    }
  }
}
