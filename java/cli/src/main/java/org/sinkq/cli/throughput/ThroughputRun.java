package org.sinkq.cli.throughput;

import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.sinkq.cli.plan.CapacityPlanner;
import org.sinkq.cli.plan.StepPredictor;
import org.sinkq.cli.plan.StepTime;

/** Measures caches one after the other, each at every context and batch. */
public final class ThroughputRun {
  /** Steps are counted in so many: in one of them no page fills. */
  public static final int STEP_UNIT = Lengths.CYCLE;

  /** Told what is going on. */
  public interface Listener {
    /**
     * A cache is about to be filled.
     *
     * @param sequences that fit
     * @param tokens of all of them
     * @return told how many of the tokens are there
     */
    IntConsumer onFill(Contender contender, int context, int sequences, int tokens);

    /** A number of sequences is about to be timed. */
    void onMeasure(Contender contender, int context, int sequences);
  }

  private final Setup setup;
  private final CapacityPlanner planner;
  private final List<Contender> contenders;
  private final List<Batch> batches;
  private final Listener listener;

  /**
   * A run; nothing has been allocated yet.
   *
   * @param contenders the first is what the others are compared with
   */
  public ThroughputRun(
      Setup setup,
      CapacityPlanner planner,
      List<Contender> contenders,
      List<Batch> batches,
      Listener listener) {
    this.setup = setup;
    this.planner = planner;
    this.contenders = contenders;
    this.batches = batches;
    this.listener = listener;
  }

  /** Tokens that a measurement adds to each sequence. */
  public static int grownTokens(int steps) {
    return steps + Session.EXTRA_STEPS;
  }

  /** Measures everything that fits at a context; caches in their order, batches ascending. */
  public void measure(int context, Consumer<Measurement> to) {
    for (Contender contender : contenders) {
      int fit = planner.sequencesThatFit(contender.format(), context);
      int[] counts = counts(fit, context);
      if (counts.length > 0) {
        measure(contender, context, fit, counts, to);
      }
    }
  }

  private int[] counts(int fit, int context) {
    int reference = planner.sequencesThatFit(contenders.getFirst().format(), context);
    return batches.stream()
        .mapToInt(batch -> batch.sequences(fit, reference))
        .filter(count -> count > 0 && count <= fit)
        .distinct()
        .sorted()
        .toArray();
  }

  private void measure(
      Contender contender, int context, int fit, int[] counts, Consumer<Measurement> to) {
    int sequences = IntStream.of(counts).max().orElseThrow();
    int tokens = Session.tokens(setup, contender, context, sequences);
    IntConsumer progress = listener.onFill(contender, context, sequences, tokens);
    try (Session session = new Session(setup, contender, context, sequences, progress)) {
      for (int count : counts) {
        listener.onMeasure(contender, context, count);
        Session.Result result = session.measure(count);
        to.accept(
            new Measurement(
                contender.name(),
                context,
                fit,
                count,
                result.meanTokens(),
                result.stepSeconds(),
                result.hostSeconds(),
                result.parts(),
                result.memory(),
                predict(contender, count, result.meanTokens())));
      }
    }
  }

  private Optional<StepTime> predict(Contender contender, int sequences, double tokens) {
    return setup
        .target()
        .gpu()
        .map(
            gpu ->
                new StepPredictor(setup.model(), gpu, setup.engine())
                    .stepTime(contender.format(), sequences, (int) Math.round(tokens)));
  }
}
