package org.sinkq.bench;

import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.ServiceLoader;
import java.util.function.LongSupplier;
import org.sinkq.TensorView;
import org.sinkq.cache.PageMasks;
import org.sinkq.cache.SequenceState;
import org.sinkq.cache.SequenceStep;
import org.sinkq.cache.SinkJournal;
import org.sinkq.cache.SinkTable;
import org.sinkq.cache.StepPlan;
import org.sinkq.engine.CacheMemory;
import org.sinkq.engine.Engine;
import org.sinkq.engine.EngineProvider;
import org.sinkq.engine.EngineStep;
import org.sinkq.layout.CacheGeometry;

/**
 * An engine whose cache holds one sequence of a given length, for measuring single steps on it.
 *
 * <p>Filling 32K tokens through a backend would attend to them all, minutes for each codec. This
 * class therefore drives the engine itself: it appends short sequences of a few pages, whose
 * attention is cheap, and strings their pages together. The short sequences share one sink table,
 * so pool and spill end up as they would; only the recorded positions are relative to the piece,
 * which a decode step, to which every position is past, does not see.
 */
final class FilledCache implements AutoCloseable {
  /** Tokens of a page, at the published setting. */
  static final int PAGE_TOKENS = 128;

  private static final int PAGES_PER_PIECE = 1;

  /** Steps with distinct rows that {@link #step} goes round. */
  private static final int DISTINCT_STEPS = 8;

  private static final int[] NO_PAGES = {};

  private final Workload workload;
  private final CacheGeometry geometry;
  private final Engine engine;
  private final SinkTable sinks;
  private final SequenceState state;
  private final SequenceState empty;
  private final Rows[][] rows;
  private final int sparePage;
  private int next;

  /** Tensors of one layer's share of a step. */
  record Rows(TensorView q, TensorView k, TensorView v, TensorView out) {
    static Rows of(Trace trace, int rows, int position) {
      return new Rows(
          trace.queries(rows), trace.keys(rows, position), trace.values(rows), trace.output(rows));
    }
  }

  FilledCache(Workload workload, Workload.Cache cache, int threads) {
    this.workload = workload;
    geometry = new CacheGeometry(workload.shape(), cache.spec(workload.tokens()));
    int pages = geometry.flushedPages(0, workload.tokens());
    sparePage = pages;
    PageMasks masks = new PageMasks(geometry.trackedHeads(), pages + 1, geometry.pageTokens());
    engine = provider().open(new CacheMemory(geometry, pages + 1, 2, masks), threads);
    sinks = new SinkTable(geometry.sinks(), geometry.trackedHeads());
    state = new SequenceState(0, geometry.pageTokens(), sinks);
    empty =
        new SequenceState(
            1, geometry.pageTokens(), new SinkTable(geometry.sinks(), geometry.trackedHeads()));
    rows = new Rows[DISTINCT_STEPS][workload.shape().numLayers()];
    fill(pages);
  }

  /** A chunk of a prompt at the end of the sequence, which leaves no trace. */
  LongSupplier chunk(int tokens) {
    Trace trace = new Trace(workload.shape(), 2);
    Rows[] layers = new Rows[workload.shape().numLayers()];
    Arrays.setAll(layers, l -> Rows.of(trace, tokens, state.length()));
    return () -> step(state, layers, NO_PAGES);
  }

  private static EngineProvider provider() {
    return ServiceLoader.load(EngineProvider.class).stream()
        .map(ServiceLoader.Provider::get)
        .filter(p -> p.name().equals("cpu"))
        .findFirst()
        .orElseThrow();
  }

  private void fill(int pages) {
    Trace trace = new Trace(workload.shape(), 1);
    int done = 0;
    while (done < pages) {
      int[] taken = new int[Math.min(PAGES_PER_PIECE, pages - done)];
      for (int p = 0; p < taken.length; p++) {
        taken[p] = done + p;
      }
      int tokens = taken.length * geometry.pageTokens();
      SequenceState piece = new SequenceState(0, geometry.pageTokens(), sinks);
      append(trace, piece, tokens, done * geometry.pageTokens(), taken);
      state.advance(taken.length * geometry.pageTokens(), taken);
      done += taken.length;
    }
    append(trace, state, workload.tokens() - state.length(), state.length(), NO_PAGES);
    for (Rows[] step : rows) {
      for (int l = 0; l < step.length; l++) {
        step[l] = Rows.of(trace, 1, state.length());
      }
    }
  }

  private void append(Trace trace, SequenceState to, int tokens, int position, int[] pages) {
    EngineStep step = begin(to, tokens, pages, new SinkJournal());
    for (int l = 0; l < workload.shape().numLayers(); l++) {
      run(step, l, Rows.of(trace, tokens, position));
    }
    step.commit();
    to.advance(tokens, pages);
  }

  private EngineStep begin(SequenceState to, int tokens, int[] pages, SinkJournal journal) {
    SequenceStep share = new SequenceStep(to, 0, tokens, pages);
    return engine.begin(new StepPlan(List.of(share), tokens, journal));
  }

  private static void run(EngineStep step, int layer, Rows rows) {
    step.run(layer, rows.q(), rows.k(), rows.v(), rows.out());
  }

  /** One decode step over all layers that leaves no trace; nanoseconds. */
  long step() {
    return step(state, nextRows(), NO_PAGES);
  }

  /** The same with one page quantized at the end, whatever the window holds; nanoseconds. */
  long flushingStep() {
    return step(state, nextRows(), new int[] {sparePage});
  }

  /** The same on an empty sequence: appending, and attending to the one token; nanoseconds. */
  long firstStep() {
    return step(empty, nextRows(), NO_PAGES);
  }

  private Rows[] nextRows() {
    return rows[next++ % DISTINCT_STEPS];
  }

  private long step(SequenceState to, Rows[] step, int[] newPages) {
    SinkJournal journal = new SinkJournal();
    long start = System.nanoTime();
    EngineStep engineStep = begin(to, step[0].q().tokens(), newPages, journal);
    for (int l = 0; l < step.length; l++) {
      run(engineStep, l, step[l]);
    }
    engineStep.rollback();
    long time = System.nanoTime() - start;
    journal.rollback();
    return time;
  }

  /** The output of the latest step's first layer. */
  float[] output() {
    TensorView out = rows[(next + DISTINCT_STEPS - 1) % DISTINCT_STEPS][0].out();
    return out.segment().toArray(ValueLayout.JAVA_FLOAT);
  }

  @Override
  public void close() {
    engine.close();
  }
}
