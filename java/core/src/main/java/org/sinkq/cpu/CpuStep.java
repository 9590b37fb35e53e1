package org.sinkq.cpu;

import static org.sinkq.InvalidArgumentException.require;

import java.lang.foreign.Arena;
import java.util.List;
import org.sinkq.TensorView;
import org.sinkq.cache.SequenceState;
import org.sinkq.cache.SequenceStep;
import org.sinkq.cache.StepPlan;
import org.sinkq.engine.EngineStep;

/**
 * One step: append, attend, flush, layer by layer.
 *
 * <p>Rows that fit into free ring slots go there; nothing committed is overwritten. A longer step
 * works in blocks of its own ({@link StagedRows}), whose unflushed tail moves into the ring on
 * commit.
 */
final class CpuStep implements EngineStep {
  /** Stands for every thread that is not the caller's; never started. */
  private static final Thread SOME_WORKER = Thread.ofPlatform().unstarted(() -> {});

  private final CpuEngine engine;
  private final StepPlan plan;
  private final List<SequenceStep> sequences;
  private final int heads;
  private final StagedRows[] staged;
  private final Attention.Schedule schedule;
  private final boolean flushes;
  private Arena arena;

  CpuStep(CpuEngine engine, StepPlan plan) {
    this.engine = engine;
    this.plan = plan;
    sequences = plan.sequences();
    heads = engine.geometry.shape().numKvHeads();
    staged = new StagedRows[sequences.size()];
    flushes = sequences.stream().anyMatch(s -> s.newPages().length > 0);
    schedule = engine.attention.schedule(sequences);
    boolean begun = false;
    try {
      for (int i = 0; i < staged.length; i++) {
        SequenceStep step = sequences.get(i);
        if (step.windowTokens() > engine.geometry.ringTokens()) {
          if (arena == null) {
            arena = Arena.ofShared();
          }
          staged[i] = new StagedRows(arena, engine, step);
        }
      }
      begun = true;
    } catch (OutOfMemoryError e) {
      throw HostMemory.outOfMemory("a step of " + plan.totalRows() + " rows", e);
    } finally {
      if (!begun) {
        rollback();
      }
    }
  }

  @Override
  public void run(int layerIndex, TensorView q, TensorView k, TensorView v, TensorView out) {
    check("q", q);
    check("k", k);
    check("v", v);
    check("out", out);
    CpuLayer layer = engine.layer(layerIndex);
    append(layer, k, v);
    engine.attention.run(layer, schedule, this, q, out, engine.workers);
    flush(layer);
  }

  @Override
  public void append(int layerIndex, TensorView k, TensorView v) {
    check("k", k);
    check("v", v);
    CpuLayer layer = engine.layer(layerIndex);
    append(layer, k, v);
    flush(layer);
  }

  private void append(CpuLayer layer, TensorView k, TensorView v) {
    engine.workers.run(
        sequences.size() * heads,
        (task, worker) -> append(layer, task / heads, task % heads, k, v));
  }

  private void flush(CpuLayer layer) {
    if (flushes) {
      engine.workers.run(
          sequences.size() * heads, (task, worker) -> flush(layer, task / heads, task % heads));
    }
  }

  /** Refuses memory that the worker threads cannot reach, however many of them there are. */
  private static void check(String name, TensorView tensor) {
    require(
        !tensor.isDevice(),
        "%s has devicePointer=%d, expected host memory for the cpu engine",
        name,
        tensor.devicePointer());
    require(
        tensor.segment().isAccessibleBy(SOME_WORKER),
        "%s=memory confined to one thread, expected a shared, automatic or global arena or an"
            + " array",
        name);
  }

  private void append(CpuLayer layer, int sequence, int head, TensorView k, TensorView v) {
    SequenceStep step = sequences.get(sequence);
    SequenceState state = step.state();
    DenseRows rows = layer.rows;
    StagedRows stage = staged[sequence];
    if (stage == null) {
      rows.beginScores(state, head);
      long[] scores = rows.isTracked() ? rows.workingScores(state, head) : null;
      int slot = state.length() % rows.ringTokens;
      Appender.append(
          layer,
          head,
          step,
          k,
          v,
          rows.segment,
          rows.ringBase(state, head),
          slot,
          rows.ringTokens,
          scores);
    } else {
      stage.load(layer, head);
      Appender.append(
          layer,
          head,
          step,
          k,
          v,
          stage.segment(),
          stage.base(layer, head),
          state.windowLength(),
          stage.slots(),
          stage.scores(layer, head));
    }
  }

  SequenceStep share(int sequence) {
    return sequences.get(sequence);
  }

  /** Dense tokens of a head, committed and new. */
  WindowView window(CpuLayer layer, int sequence, int head) {
    SequenceStep step = sequences.get(sequence);
    SequenceState state = step.state();
    StagedRows stage = staged[sequence];
    if (stage != null) {
      return new WindowView(
          stage.segment(),
          stage.base(layer, head),
          state.flushedTokens(),
          0,
          stage.slots(),
          step.windowTokens(),
          stage.scores(layer, head));
    }
    DenseRows rows = layer.rows;
    return new WindowView(
        rows.segment,
        rows.ringBase(state, head),
        state.flushedTokens(),
        state.flushedTokens() % rows.ringTokens,
        rows.ringTokens,
        step.windowTokens(),
        rows.isTracked() ? rows.workingScores(state, head) : null);
  }

  private void flush(CpuLayer layer, int sequence, int head) {
    SequenceStep step = sequences.get(sequence);
    if (step.newPages().length > 0) {
      new Flusher(engine, layer, head, step, window(layer, sequence, head)).flush(plan.journal());
      if (staged[sequence] != null) {
        staged[sequence].keep(layer, head);
      }
    }
  }

  @Override
  public void commit() {
    for (int i = 0; i < staged.length; i++) {
      if (staged[i] != null) {
        staged[i].publish();
      } else {
        for (int layer = 0; layer < engine.geometry.shape().numLayers(); layer++) {
          engine.layer(layer).rows.commitScores(sequences.get(i).state());
        }
      }
    }
    rollback();
  }

  @Override
  public void rollback() {
    if (arena != null) {
      arena.close();
      arena = null;
    }
  }
}
