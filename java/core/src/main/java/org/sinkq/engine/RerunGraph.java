package org.sinkq.engine;

import java.util.function.Consumer;
import org.sinkq.RecordedStep;
import org.sinkq.TensorView;
import org.sinkq.cache.StepPlan;

/** The recording of an engine that has nothing to record: it runs the caller's code every time. */
final class RerunGraph implements EngineGraph {
  private final Engine engine;
  private final Consumer<RecordedStep> body;

  RerunGraph(Engine engine, Consumer<RecordedStep> body) {
    this.engine = engine;
    this.body = body;
  }

  @Override
  public void replay(StepPlan plan) {
    EngineStep step = engine.begin(plan);
    int rows = plan.totalRows();
    boolean done = false;
    try {
      body.accept(
          new RecordedStep() {
            @Override
            public void run(int layer, TensorView q, TensorView k, TensorView v, TensorView out) {
              step.run(layer, first(q, rows), first(k, rows), first(v, rows), first(out, rows));
            }

            @Override
            public long stream() {
              return 0;
            }

            @Override
            public long positions() {
              return 0;
            }
          });
      done = true;
    } finally {
      if (!done) {
        step.rollback();
      }
    }
    step.commit();
  }

  private static TensorView first(TensorView x, int rows) {
    return new TensorView(
        x.segment(),
        x.devicePointer(),
        x.dtype(),
        rows,
        x.heads(),
        x.headDim(),
        x.tokenStride(),
        x.headStride());
  }

  @Override
  public void synchronize() {
    // Every replay has been waited for.
  }

  @Override
  public void close() {
    // Nothing is held.
  }
}
