package org.sinkq;

import static org.sinkq.InvalidArgumentException.require;

import java.util.BitSet;
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
  private final BitSet done = new BitSet();
  private State state = State.OPEN;

  EnginePlan(
      EngineBackend backend, List<EngineSequence> members, StepPlan step, EngineStep engineStep) {
    this.backend = backend;
    this.members = members;
    this.step = step;
    this.engineStep = engineStep;
  }

  @Override
  public void run(int layer, TensorView q, TensorView k, TensorView v, TensorView out) {
    requireOpen();
    ModelShape shape = backend.config().shape();
    require(
        layer >= 0 && layer < shape.numLayers(),
        "layer=%d, expected 0 to %d",
        layer,
        shape.numLayers() - 1);
    require(!done.get(layer), "layer=%d, expected one that this plan has not run yet", layer);
    checkShape("q", q, shape.numQoHeads());
    checkShape("k", k, shape.numKvHeads());
    checkShape("v", v, shape.numKvHeads());
    checkShape("out", out, shape.numQoHeads());
    require(
        out.isDevice() || !out.segment().isReadOnly(),
        "out=read-only memory, expected memory that can be written");
    boolean finished = false;
    backend.engineLock.lock();
    try {
      engineStep.run(layer, q, k, v, out);
      finished = true;
    } finally {
      backend.engineLock.unlock();
      if (!finished) {
        rollback(State.FAILED);
      }
    }
    done.set(layer);
  }

  private void checkShape(String name, TensorView tensor, int heads) {
    int dim = backend.config().shape().headDim();
    require(
        tensor.tokens() == step.totalRows() && tensor.heads() == heads && tensor.headDim() == dim,
        "%s=[%d, %d, %d], expected [%d, %d, %d]",
        name,
        tensor.tokens(),
        tensor.heads(),
        tensor.headDim(),
        step.totalRows(),
        heads,
        dim);
    require(
        tensor.isDevice() || tensor.segment().scope().isAlive(),
        "%s=memory of a closed arena, expected open memory",
        name);
  }

  private void requireOpen() {
    require(state != State.FAILED, "plan=rolled back after an error, expected an open one");
    require(state == State.OPEN, "plan=committed or closed, expected an open one");
  }

  @Override
  public void commit() {
    requireOpen();
    int layers = backend.config().shape().numLayers();
    require(
        done.cardinality() == layers,
        "layer %d has not been run, expected all %d layers before commit",
        done.nextClearBit(0),
        layers);
    backend.engineLock.lock();
    try {
      engineStep.commit();
    } finally {
      backend.engineLock.unlock();
    }
    backend.commit(members, step);
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
      backend.rollback(members, step);
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
