package org.sinkq.reference;

import static org.sinkq.InvalidArgumentException.require;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.sinkq.ModelShape;
import org.sinkq.TensorView;
import org.sinkq.cache.SequenceState;
import org.sinkq.cache.SequenceStep;
import org.sinkq.cache.SinkPicks;
import org.sinkq.cache.SinkTable;
import org.sinkq.cache.StepPlan;
import org.sinkq.engine.EngineStep;

/** Append, attend, flush; the step's rows enter the windows on commit. */
final class ReferenceStep implements EngineStep {
  private record Share(
      int layer, int head, SequenceStep step, List<Token> rows, Map<Integer, Long> masses) {}

  private final ReferenceEngine engine;
  private final StepPlan plan;
  private final List<Share> shares = new ArrayList<>();

  ReferenceStep(ReferenceEngine engine, StepPlan plan) {
    this.engine = engine;
    this.plan = plan;
  }

  @Override
  public void run(int layer, TensorView q, TensorView k, TensorView v, TensorView out) {
    List<Share> ofLayer = appendAll(layer, k, v);
    ofLayer.forEach(share -> attend(share, q, out));
    flushAll(ofLayer);
  }

  @Override
  public void append(int layer, TensorView k, TensorView v) {
    flushAll(appendAll(layer, k, v));
  }

  private void flushAll(List<Share> ofLayer) {
    ofLayer.forEach(this::flush);
    shares.addAll(ofLayer);
  }

  private List<Share> appendAll(int layer, TensorView k, TensorView v) {
    List<Share> ofLayer = new ArrayList<>();
    for (SequenceStep step : plan.sequences()) {
      for (int h = 0; h < engine.geometry.shape().numKvHeads(); h++) {
        ofLayer.add(append(layer, h, step, k, v));
      }
    }
    return ofLayer;
  }

  private Share append(int layer, int head, SequenceStep step, TensorView k, TensorView v) {
    List<Token> rows = new ArrayList<>();
    for (int i = 0; i < step.rows(); i++) {
      int position = step.state().length() + i;
      Token token =
          Token.stored(
              engine.codec(layer),
              position,
              Tensors.read(k, step.firstRow() + i, head),
              Tensors.read(v, step.firstRow() + i, head));
      check("key", token.key(), layer, head, position);
      check("value", token.value(), layer, head, position);
      rows.add(token);
    }
    return new Share(layer, head, step, rows, engine.masses(layer, head, step.state()));
  }

  private static void check(String what, float[] row, int layer, int head, int position) {
    for (int d = 0; d < row.length; d++) {
      require(
          Float.isFinite(row[d]),
          "%s=%s at layer %d, head %d, position %d, channel %d, expected a finite number within the"
              + " fp16 range",
          what,
          row[d],
          layer,
          head,
          position,
          d);
    }
  }

  private void attend(Share share, TensorView q, TensorView out) {
    ModelShape shape = engine.geometry.shape();
    SequenceState state = share.step.state();
    List<Attended> all = engine.committed(share.layer, share.head, state);
    share.rows.forEach(token -> all.add(token.attended()));
    ReferenceHead.requireExactlyOnce(all, state.length() + share.step.rows());
    for (int i = 0; i < share.step.rows(); i++) {
      int row = share.step.firstRow() + i;
      for (int g = 0; g < shape.groupSize(); g++) {
        int head = share.head * shape.groupSize() + g;
        Tensors.write(
            out,
            row,
            head,
            Softmax.attend(
                    shape,
                    share.layer,
                    all,
                    Tensors.read(q, row, head),
                    state.length() + i,
                    (position, probability) -> {
                      long units = (long) Math.rint(probability * SinkTable.MASS_UNITS);
                      share.masses.merge(position, units, Long::sum);
                    })
                .result());
      }
    }
  }

  private void flush(Share share) {
    int[] newPages = share.step.newPages();
    if (newPages.length == 0) {
      return;
    }
    int size = engine.geometry.pageTokens();
    SequenceState state = share.step.state();
    List<Token> window = engine.window(share.layer, share.head, state);
    window.addAll(share.rows);
    boolean[] masked = new boolean[newPages.length * size];
    int tracked = engine.geometry.trackedHead(share.layer, share.head);
    if (tracked >= 0) {
      select(share, tracked, window, masked);
    }
    for (int p = 0; p < newPages.length; p++) {
      boolean[] pageMask = new boolean[size];
      System.arraycopy(masked, p * size, pageMask, 0, size);
      engine.head(share.layer, share.head).pages[newPages[p]] =
          Quantization.page(
              engine.codec(share.layer),
              engine.geometry.valueGroup(),
              window.subList(p * size, (p + 1) * size),
              pageMask);
    }
  }

  private void select(Share share, int tracked, List<Token> window, boolean[] masked) {
    SequenceState state = share.step.state();
    int size = engine.geometry.pageTokens();
    long[] scores = new long[masked.length];
    for (int i = 0; i < scores.length; i++) {
      scores[i] = engine.score(share.layer, window.get(i), share.masses);
    }
    SinkPicks picks = new SinkPicks(engine.geometry.sinks());
    state
        .sinks()
        .select(tracked, state.flushedTokens(), scores, scores.length, plan.journal(), picks);
    for (int page : share.step.newPages()) {
      engine.memory.masks().clear(tracked, page);
    }
    for (int i = 0; i < picks.count(); i++) {
      int token = picks.token(i);
      masked[token] = true;
      engine.memory.masks().set(tracked, share.step.newPages()[token / size], token % size);
      engine.head(share.layer, share.head).sinks[state.slot()][picks.slot(i)] = window.get(token);
    }
  }

  @Override
  public void commit() {
    int size = engine.geometry.pageTokens();
    for (Share share : shares) {
      SequenceState state = share.step.state();
      TreeMap<Integer, Token> window =
          engine.head(share.layer, share.head).windows.get(state.slot());
      engine.head(share.layer, share.head).masses.set(state.slot(), share.masses);
      share.rows.forEach(token -> window.put(token.position(), token));
      window.headMap(state.flushedTokens() + share.step.newPages().length * size).clear();
    }
  }

  @Override
  public void rollback() {}
}
