package org.sinkq;

import static org.sinkq.InvalidArgumentException.require;

import java.util.List;
import java.util.function.Consumer;
import org.sinkq.engine.EngineGraph;

/** A recording of an {@link EngineBackend}: checks at the door, then hands over to the engine. */
final class EngineDecodeGraph implements DecodeGraph {
  private final EngineBackend backend;
  private final int batch;
  private final EngineGraph graph;
  private boolean closed;

  /** Records; the caller holds the engine's lock. */
  EngineDecodeGraph(EngineBackend backend, int batch, Consumer<RecordedStep> body) {
    this.backend = backend;
    this.batch = batch;
    graph = backend.bytes().record(batch, step -> record(step, body));
  }

  /** Lets the caller record a step, and looks at what it records. */
  private void record(RecordedStep step, Consumer<RecordedStep> body) {
    OperandChecks checks = new OperandChecks(backend.config().shape(), batch, "recording");
    body.accept(
        new RecordedStep() {
          @Override
          public void run(int layer, TensorView q, TensorView k, TensorView v, TensorView out) {
            checks.check(layer, q, k, v, out);
            step.run(layer, q, k, v, out);
            checks.done(layer);
          }

          @Override
          public long stream() {
            return step.stream();
          }

          @Override
          public long positions() {
            return step.positions();
          }
        });
    checks.requireAll("the end of a recording");
  }

  @Override
  public int batch() {
    return batch;
  }

  private void requireOpen() {
    require(!closed, "graph=closed, expected an open one");
  }

  @Override
  public void step(List<? extends KvSequence> sequences) {
    requireOpen();
    require(
        sequences.size() <= batch,
        "sequences=%d, expected at most %d, the rows recorded",
        sequences.size(),
        batch);
    backend.replay(graph, AttentionMetadata.decode(sequences));
  }

  @Override
  public void synchronize() {
    requireOpen();
    backend.engineLock.lock();
    try {
      graph.synchronize();
    } finally {
      backend.engineLock.unlock();
    }
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      backend.close(this);
    }
  }

  /** Gives the recording up; the caller holds the engine's lock. */
  void discard() {
    closed = true;
    graph.close();
  }
}
