package org.sinkq.cuda;

import static org.sinkq.InvalidArgumentException.require;

import java.util.List;
import java.util.function.Consumer;
import org.sinkq.RecordedStep;
import org.sinkq.TensorView;
import org.sinkq.cache.SequenceStep;
import org.sinkq.cache.StepPlan;
import org.sinkq.cuda.LaunchParameters.Int4;
import org.sinkq.cuda.LaunchParameters.Long8;
import org.sinkq.engine.EngineGraph;

/**
 * A decode step as CUDA graphs: one for the usual step, one with selection and packing for steps in
 * which a page fills. A replay is
 *
 * <pre>
 *   tables up ─► graph ─► verdict and sink tables down ─► event        on the engine's stream
 * </pre>
 *
 * <p>What a layer does when a page fills, nobody needs before that layer's next step: it lies
 * beside the layers that follow, on a stream of its own, and the graph ends when both have.
 *
 * <p>The plan has one place on the device. Since the stream is in order, tables of the next step
 * arrive there after the last kernel of this one; only the host's copies alternate.
 */
final class CudaGraph implements EngineGraph {
  private final CudaEngine engine;
  private final CudaDevice device;
  private final int batch;
  private final Consumer<RecordedStep> body;
  private final ReplayTables layout;
  private final CudaDevice.Stream flushStream;
  private final CudaDevice.Event fork;
  private int idCapacity;
  private long plan;
  private CudaDevice.Graph usual;
  private CudaDevice.Graph flushing;

  /** Records for steps of up to {@code batch} sequences. */
  CudaGraph(CudaEngine engine, int batch, int pages, Consumer<RecordedStep> body) {
    this.engine = engine;
    this.batch = batch;
    this.body = body;
    device = engine.device;
    layout = new ReplayTables(engine, batch);
    idCapacity = pages;
    flushStream = device.createStream();
    fork = device.createEvent();
    boolean done = false;
    try {
      record();
      done = true;
    } finally {
      if (!done && !engine.isFailed()) {
        destroyFork();
      }
    }
  }

  private void record() {
    boolean done = false;
    try {
      plan = engine.buffers.allocate(layout.length(idCapacity) * Integer.BYTES);
      usual = engine.recording(() -> body.accept(new Recorder(false)));
      flushing =
          engine.recording(
              () -> {
                body.accept(new Recorder(true));
                join(engine.stream, flushStream);
              });
      done = true;
    } finally {
      if (!done && !engine.isFailed()) {
        discard();
      }
    }
  }

  /** Work on a stream from here on comes after what is on the other one so far. */
  private void join(CudaDevice.Stream later, CudaDevice.Stream earlier) {
    device.record(fork, earlier);
    device.await(later, fork);
  }

  private void destroyFork() {
    device.destroy(fork);
    device.destroy(flushStream);
  }

  private void discard() {
    for (CudaDevice.Graph graph : new CudaDevice.Graph[] {usual, flushing}) {
      if (graph != null) {
        device.destroy(graph);
      }
    }
    usual = null;
    flushing = null;
    engine.buffers.free(plan);
  }

  /** What the caller's code sees while the stream records. */
  private final class Recorder implements RecordedStep {
    private final boolean flushes;

    Recorder(boolean flushes) {
      this.flushes = flushes;
    }

    @Override
    public void run(int layer, TensorView q, TensorView k, TensorView v, TensorView out) {
      require(
          q.isDevice() && k.isDevice() && v.isDevice() && out.isDevice(),
          "q, k, v, out=host memory, expected device memory in a recorded step");
      LaunchParameters parameters = engine.parameters(layer);
      long error = parameters.get(Long8.ERROR);
      boolean givesMasses = engine.geometry.shape().groupSize() <= layout.columns(layer);
      parameters
          .set(Long8.PLAN, plan)
          .set(Long8.ERROR, engine.replays.error(layer))
          .setMasses(givesMasses, engine.extents(layer), engine.windowLogits(layer))
          .set(Int4.SEQUENCE_TABLE, 0)
          .set(Int4.ITEM_TABLE, layout.items(layer))
          .set(Int4.PAGE_LIST, layout.pageList());
      engine.staging.bind(parameters, q, k, v, out);
      launch(layer);
      parameters.set(Long8.ERROR, error);
    }

    private void launch(int layer) {
      LayerLaunches launches = new LayerLaunches(engine, layer, flushStream);
      launches.attend(layout.itemCount(layer), layout.columns(layer));
      launches.mass(engine.geometry.ringTokens(), batch);
      if (flushes) {
        join(flushStream, engine.stream);
        launches.flush(batch, batch);
      }
    }

    @Override
    public long stream() {
      return device.handle(engine.stream);
    }

    @Override
    public long positions() {
      return plan + (long) layout.positions() * Integer.BYTES;
    }
  }

  @Override
  public void replay(StepPlan step) {
    engine.guarded(() -> queue(step.sequences()));
  }

  private void queue(List<SequenceStep> sequences) {
    engine.replays.report();
    sequences.forEach(s -> engine.sinks.refresh(s.state()));
    StepTables tables = new StepTables(sequences, engine.geometry, engine.sinks, engine.blocks());
    int ids = layout.idCount(tables, sequences.size());
    if (ids > idCapacity || usual == null) {
      grow(ids);
    }
    long bytes = layout.length(ids) * Integer.BYTES;
    ReplayLog.Entry entry = engine.replays.begin(sequences, bytes);
    layout.write(tables, sequences.size(), entry.plan());
    device.copyToDevice(plan, entry.plan().asSlice(0, bytes), engine.stream);
    device.launch(tables.newPages() > 0 ? flushing : usual, engine.stream);
    engine.replays.commit(entry, sequences);
  }

  /** Forks share pages, so their ids may take more room than the pages that there are. */
  private void grow(int ids) {
    device.synchronize(engine.stream);
    if (usual != null) {
      discard();
    }
    idCapacity = Math.max(ids, 2 * idCapacity);
    record();
  }

  @Override
  public void synchronize() {
    engine.guarded(
        () -> {
          engine.replays.settle();
          engine.replays.report();
        });
  }

  @Override
  public void close() {
    if (!engine.isFailed()) {
      engine.guarded(
          () -> {
            engine.replays.settle();
            if (usual != null) {
              discard();
            }
            destroyFork();
          });
    }
  }
}
