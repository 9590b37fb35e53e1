package org.sinkq.bench;

import java.util.List;
import java.util.Locale;
import org.sinkq.bench.Workload.Cache;

/** Bookkeeping: plan and commit of a large batch, and garbage by context. */
final class PlanTable {
  /** Layers of the batch; planning does not depend on them, running does. */
  static final int LAYERS = 32;

  private PlanTable() {}

  static String markdown(Effort effort) {
    StringBuilder table = new StringBuilder("### Bookkeeping\n\n");
    warmUp(effort);
    try (StepBatch batch = new StepBatch(effort.batch(), LAYERS, effort.threads())) {
      double[] plans = new double[effort.rounds()];
      double[] commits = new double[effort.rounds()];
      for (int r = -effort.warmup(); r < effort.rounds(); r++) {
        batch.step();
        if (r >= 0) {
          plans[r] = batch.planNanos();
          commits[r] = batch.commitNanos();
        }
      }
      double plan = Interleaved.median(plans) / 1e3;
      double commit = Interleaved.median(commits) / 1e3;
      table.append(
          String.format(
              Locale.ROOT,
              "%,d sequences, %d layers: plan %.0f us + commit %.0f us = %.0f us.%n%n",
              effort.batch(),
              LAYERS,
              plan,
              commit,
              plan + commit));
    }
    table.append("| context | garbage of a decode step, bytes per layer |\n|---|---|\n");
    for (int tokens : List.of(1024, 8 * 1024, effort.tokens())) {
      table.append(String.format(Locale.ROOT, "| %,d | %,d |%n", tokens, garbage(tokens, effort)));
    }
    return table.toString();
  }

  /** A serving process has long been compiled; a small batch of one layer gets there sooner. */
  private static void warmUp(Effort effort) {
    try (StepBatch batch = new StepBatch(Math.min(64, effort.batch()), 1, 1)) {
      for (int i = 0; i < 100 * effort.warmup(); i++) {
        batch.step();
      }
    }
  }

  /** Bytes that a step allocates, once compiled; on one thread, so that all of it is seen. */
  static long garbage(int tokens, Effort effort) {
    Workload workload = Workload.d64(4, tokens);
    try (FilledCache cache = new FilledCache(workload, Cache.SINKQ2, 1)) {
      double[] bytes = new double[effort.rounds()];
      for (int r = -20 * effort.warmup(); r < effort.rounds(); r++) {
        long before = Garbage.allocatedByThisThread();
        cache.step();
        if (r >= 0) {
          bytes[r] = Garbage.allocatedByThisThread() - before;
        }
      }
      return (long) Interleaved.median(bytes) / workload.shape().numLayers();
    }
  }
}
