package org.sinkq.cli.throughput;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.IntConsumer;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.BackendConfig;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvSequence;
import org.sinkq.cuda.CudaHost;
import org.sinkq.llm.DecodeLoop;
import org.sinkq.llm.StepPart;

/**
 * One cache, full of sequences that differ in length, and the steps that are timed on it.
 *
 * <pre>
 *   steps in a row, an event behind each     time of a step, what flushing adds
 *   steps queued behind other work           time without the host, and the host's
 *   products alone, attention alone          what the time is spent on
 * </pre>
 *
 * Afterwards the sequences are cut back to where they began.
 */
final class Session implements AutoCloseable {
  /** Steps before the clock starts, and of each part alone: whole cycles of flushing. */
  private static final int WARM_STEPS = Lengths.CYCLE;

  private static final int PRODUCT_STEPS = 12;

  /** Work in front of queued steps, in seconds: longer than the host takes to queue them. */
  private static final double AHEAD_SECONDS = 5e-3;

  private static final int MOST_AHEAD = 64;

  /** Rounds of steps queued behind other work, and steps of a round: as many as can wait. */
  private static final int QUEUED_ROUNDS = 8;

  private static final int QUEUED_STEPS = 4;

  /** Tokens that a measurement adds to each sequence, beyond the steps that are timed. */
  static final int EXTRA_STEPS = 2 * (WARM_STEPS + QUEUED_ROUNDS * QUEUED_STEPS);

  private final Setup setup;
  private final AttentionBackend backend;
  private final Clock clock;
  private final List<KvSequence> sequences = new ArrayList<>();
  private final int[] lengths;

  /**
   * Opens and fills a cache.
   *
   * @param context tokens that each sequence has memory for
   * @param count sequences
   * @param progress told how many tokens have been filled in
   */
  Session(Setup setup, Contender contender, int context, int count, IntConsumer progress) {
    this.setup = setup;
    KvCacheSpec spec = contender.format().spec(count, context);
    BackendConfig config = BackendConfig.of(setup.model().attention(), spec);
    boolean done = false;
    backend = AttentionBackends.open(config.withEngine(setup.engine()));
    try {
      CudaHost host = backend.engineAs(CudaHost.class).orElseThrow();
      setup.weights().moveTo(backend);
      clock = new Clock(host);
      lengths = Lengths.of(count, context, setup.steps() + EXTRA_STEPS, spec.pageTokens());
      for (int i = 0; i < count; i++) {
        sequences.add(backend.newSequence());
      }
      try (CacheFill fill = new CacheFill(host, setup.model().attention(), lengths[count - 1])) {
        fill.fill(backend, sequences, lengths, progress);
      }
      done = true;
    } finally {
      if (!done) {
        backend.close();
      }
    }
  }

  /** Tokens of all sequences once they are filled in. */
  static int tokens(Setup setup, Contender contender, int context, int count) {
    int page = contender.format().spec(1, context).pageTokens();
    return Arrays.stream(Lengths.of(count, context, setup.steps() + EXTRA_STEPS, page)).sum();
  }

  /** What a batch takes. */
  record Result(
      double meanTokens,
      double stepSeconds,
      double hostSeconds,
      Parts parts,
      Measurement.Memory memory) {}

  /** Times steps of so many of the sequences, at most all. */
  Result measure(int batch) {
    int[] which = Lengths.sample(sequences.size(), batch);
    List<KvSequence> members = Arrays.stream(which).mapToObj(sequences::get).toList();
    double mean = Arrays.stream(which).map(i -> lengths[i]).average().orElseThrow();
    Steps steps = steps(members);
    for (int i : which) {
      sequences.get(i).truncate(lengths[i]);
    }
    // Whatever a part alone takes longer, because it begins cold, is not the others' time.
    double other = Math.max(0, steps.device - steps.gemm - steps.attention - steps.flush);
    return new Result(
        mean + WARM_STEPS + setup.steps() / 2.0,
        steps.step,
        steps.host,
        new Parts(steps.gemm, steps.attention, steps.flush, other),
        new Measurement.Memory(
            setup.model().weightBytes(), backend.stats().allocatedBytes(), steps.deviceBytes));
  }

  private DecodeLoop loop(int batch, Set<StepPart> parts) {
    return setup.weights().loop(backend, batch, parts);
  }

  /** Steps that fill no page: the first of every cycle, as {@link Lengths} has it. */
  private static double[] withoutFlush(double[] steps) {
    double[] some = new double[(steps.length + Lengths.CYCLE - 1) / Lengths.CYCLE];
    Arrays.setAll(some, i -> steps[i * Lengths.CYCLE]);
    return some;
  }

  /**
   * Whole steps, and parts of them, in seconds.
   *
   * @param step one of many in a row
   * @param host what the host takes for one
   * @param device one that does not wait for the host
   * @param gemm the products of one
   * @param attention the attention of one, in steps that fill no page
   * @param flush what filling pages adds to one, on average
   */
  private record Steps(
      double step,
      double host,
      double device,
      double gemm,
      double attention,
      double flush,
      long deviceBytes) {}

  private Steps steps(List<KvSequence> members) {
    int batch = members.size();
    try (DecodeLoop loop = loop(batch, EnumSet.allOf(StepPart.class))) {
      clock.each(WARM_STEPS, () -> loop.step(members));
      loop.synchronize();
      long begin = System.nanoTime();
      double[] each = clock.each(setup.steps(), () -> loop.step(members));
      double step = (System.nanoTime() - begin) * 1e-9 / setup.steps();
      long deviceBytes = setup.target().allocatedBytes();
      double usual = Arrays.stream(withoutFlush(each)).average().orElseThrow();
      double flush = Math.max(0, Arrays.stream(each).average().orElseThrow() - usual);
      try (DecodeLoop products = loop(batch, EnumSet.of(StepPart.PRODUCTS));
          DecodeLoop attention = loop(batch, EnumSet.of(StepPart.ATTENTION))) {
        Runnable multiply = () -> products.step(List.of());
        double gemm = Clock.median(clock.each(PRODUCT_STEPS, multiply));
        Queued whole = queued(() -> loop.step(members), multiply, gemm);
        clock.each(WARM_STEPS, () -> attention.step(members));
        Queued alone = queued(() -> attention.step(members), multiply, gemm);
        loop.synchronize();
        attention.synchronize();
        return new Steps(
            step,
            whole.host,
            Arrays.stream(whole.device).average().orElseThrow(),
            gemm,
            Clock.median(withoutFlush(alone.device)),
            flush,
            deviceBytes);
      }
    }
  }

  /**
   * Steps that never wait for the host.
   *
   * @param device seconds of each
   * @param host seconds that the host takes for one
   */
  private record Queued(double[] device, double host) {}

  /**
   * Queues a few steps at a time behind other work.
   *
   * @param multiply the other work
   * @param seconds that it takes once
   */
  private Queued queued(Runnable step, Runnable multiply, double seconds) {
    int ahead = (int) Math.clamp(AHEAD_SECONDS / seconds, 1, MOST_AHEAD);
    double[] device = new double[QUEUED_ROUNDS * QUEUED_STEPS];
    double host = 0;
    for (int round = 0; round < QUEUED_ROUNDS; round++) {
      for (int i = 0; i < ahead; i++) {
        multiply.run();
      }
      long begin = System.nanoTime();
      Clock.Marks marks = clock.queue(QUEUED_STEPS, step);
      host += (System.nanoTime() - begin) * 1e-9;
      System.arraycopy(marks.read(), 0, device, round * QUEUED_STEPS, QUEUED_STEPS);
    }
    return new Queued(device, host / device.length);
  }

  @Override
  public void close() {
    clock.close();
    backend.close();
  }
}
