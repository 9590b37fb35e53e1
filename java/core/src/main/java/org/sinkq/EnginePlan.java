package org.sinkq;

import static org.sinkq.InvalidArgumentException.require;

import java.util.List;
import org.sinkq.cache.StepPlan;
import org.sinkq.engine.EngineStep;

/** A step of an {@link EngineBackend}: checks at the door, then hands over to the engine. */
final class EnginePlan implements AttentionPlan {
  private enum State {
    OPEN,
    FAILED,
    ENDED
  }

  private final EngineBackend backend;
  private final List<EngineSequence> members;
  private final StepPlan step;
  private final EngineStep engineStep;
  private final OperandChecks checks;
  private State state = State.OPEN;

  EnginePlan(
      EngineBackend backend, List<EngineSequence> members, StepPlan step, EngineStep engineStep) {
    this.backend = backend;
    this.members = members;
    this.step = step;
    this.engineStep = engineStep;
    checks = new OperandChecks(backend.config().shape(), step.totalRows(), "plan");
  }

  @Override
  public void run(int layer, TensorView q, TensorView k, TensorView v, TensorView out) {
    requireOpen();
    checks.check(layer, q, k, v, out);
    onEngine(layer, () -> engineStep.run(layer, q, k, v, out));
  }

  @Override
  public void append(int layer, TensorView k, TensorView v) {
    requireOpen();
    checks.check(layer, k, v);
    onEngine(layer, () -> engineStep.append(layer, k, v));
  }

  /** Does a layer's work; an error ends the step. */
  private void onEngine(int layer, Runnable work) {
    boolean finished = false;
    backend.engineLock.lock();
    try {
      work.run();
      finished = true;
    } finally {
      backend.engineLock.unlock();
      if (!finished) {
        rollback(State.FAILED);
      }
    }
    checks.done(layer);
  }

  private void requireOpen() {
    require(state != State.FAILED, "plan=rolled back after an error, expected an open one");
    require(state == State.OPEN, "plan=committed or closed, expected an open one");
  }

  @Override
  public void commit() {
    requireOpen();
    checks.requireAll("commit");
    backend.engineLock.lock();
    try {
      engineStep.commit();
    } finally {
      backend.engineLock.unlock();
    }
    backend.indices().commit(members, step);
    state = State.ENDED;
  }

  private void rollback(State next) {
    state = next;
    backend.engineLock.lock();
    try {
      engineStep.rollback();
    } finally {
      backend.engineLock.unlock();
      // Even if the device is gone, pages and sequences must not be.
      backend.indices().rollback(members, step);
    }
  }

  @Override
  public void close() {
    if (state == State.OPEN) {
      rollback(State.ENDED);
    }
    state = State.ENDED;
  }
}
