package org.sinkq.cuda;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.sinkq.InvalidArgumentException.require;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.sinkq.DType;
import org.sinkq.TensorView;
import org.sinkq.cache.SequenceStep;
import org.sinkq.cache.StepPlan;
import org.sinkq.cuda.LaunchParameters.Int4;
import org.sinkq.cuda.LaunchParameters.Long8;
import org.sinkq.engine.EngineStep;

/**
 * One step: append, attend, then select and pack where pages fill, layer by layer on the engine's
 * stream. In a decode step attention appends the rows too, so that a layer is one launch.
 *
 * <p>The host waits for the device only to hand over host results, and in the step's last layer,
 * for the sink tables that the step has written and for the verdict on its keys and values.
 */
final class CudaStep implements EngineStep {
  private final CudaEngine engine;
  private final CudaDevice device;
  private final List<SequenceStep> sequences;
  private final StepTables tables;
  private final StepTables.Items[] items;
  private final int[] columns;
  private final DeviceBuffers.Mirrored plan;
  private final DeviceBuffers.Mirrored back;
  private final StagedBlocks staged;
  private int layersDone;

  CudaStep(CudaEngine engine, StepPlan step) {
    this.engine = engine;
    device = engine.device;
    sequences = step.sequences();
    sequences.forEach(s -> engine.sinks.refresh(s.state()));
    tables = new StepTables(sequences, engine.geometry, engine.sinks, engine.blocks());
    int layers = engine.layouts.length;
    items = new StepTables.Items[layers];
    columns = new int[layers];
    for (int i = 0; i < layers; i++) {
      CudaLayout layout = engine.layouts[i];
      columns[i] = engine.kernels.columns(layout, tables.mostColumns());
      items[i] = tables.items(layout, columns[i], engine.waveBlocks(layout, columns[i]));
    }
    staged = new StagedBlocks(step.totalRows());
    DeviceBuffers.Mirrored sent = null;
    boolean done = false;
    try {
      sent = engine.upload(tables.words(), tables.length());
      back =
          engine.buffers.mirrored((long) layers * Long.BYTES + engine.sinks.fetchBytes(sequences));
      done = true;
    } finally {
      if (!done) {
        staged.free();
        if (sent != null) {
          engine.buffers.giveBack(sent);
        }
      }
    }
    plan = sent;
  }

  /**
   * Memory outside the cache: dense blocks of one layer while it runs, dense blocks of all until
   * the step ends, partial results of prompts, extents of more columns than a decode step has.
   */
  private final class StagedBlocks {
    private final int blocks;
    private final int kept;
    private final long bytes;
    private final long address;
    private final long extents;

    StagedBlocks(int rows) {
      blocks = tables.stagedBlocks();
      kept = tables.keptBlocks();
      int layers = engine.layouts.length;
      bytes = (blocks + (long) layers * kept) * (block() + scores());
      int headDim = engine.geometry.shape().headDim();
      long parts = (long) tables.promptParts() * CudaLayout.prefillPartial(headDim);
      long extentBytes = engine.missingExtents(rows);
      long all = bytes + parts + extentBytes;
      address = all == 0 ? 0 : engine.buffers.allocate(all);
      extents = extentBytes == 0 ? 0 : address + bytes + parts;
      if (blocks > 0) {
        device.fill(address, (byte) 0, bytes, engine.stream);
      }
    }

    /** Where partial results of prompts are. */
    long parts() {
      return address + bytes;
    }

    private long block() {
      return engine.layouts[0].denseBlock;
    }

    private long scores() {
      return (long) CudaLayout.TILE * Long.BYTES;
    }

    private long extents(int layer) {
      return extents != 0 && engine.layouts[layer].tracksMass ? extents : engine.extents(layer);
    }

    void bind(LaunchParameters parameters, int layer) {
      long keptAt = address + blocks * (block() + scores());
      long layerAt = keptAt + (long) layer * kept * (block() + scores());
      parameters
          .set(Long8.STAGING, address)
          .set(Long8.STAGING_SCORES, address + blocks * block())
          .setMasses(givesMasses(layer), extents(layer), engine.windowLogits(layer))
          .set(Long8.KEPT, layerAt)
          .set(Long8.KEPT_SCORES, layerAt + kept * block());
    }

    void free() {
      if (address != 0) {
        engine.buffers.free(address);
      }
    }
  }

  /**
   * Whether attention gives masses itself: a block has all columns of a head, nothing is staged.
   */
  private boolean givesMasses(int layer) {
    boolean attendOnly = tables.prompts().count() == 0 && tables.stagedBlocks() == 0;
    return attendOnly && tables.mostColumns() <= columns[layer];
  }

  /** Points a layer's parameters at this step. */
  LaunchParameters bind(int layer) {
    LaunchParameters parameters =
        engine
            .parameters(layer)
            .set(Long8.PLAN, plan.device())
            .set(Int4.SEQUENCE_TABLE, 0)
            .set(Int4.ITEM_TABLE, items[layer].offset())
            .set(Int4.PROMPT_TABLE, tables.prompts().offset())
            .set(Int4.PAGE_LIST, tables.pageList());
    staged.bind(parameters, layer);
    return parameters;
  }

  @Override
  public void run(int layer, TensorView q, TensorView k, TensorView v, TensorView out) {
    engine.guarded(() -> queue(layer, q, k, v, out));
    boolean onHost = !q.isDevice() || !k.isDevice() || !v.isDevice() || !out.isDevice();
    await(layer, k, v, onHost);
    engine.staging.deliver(q, k, v, out);
  }

  @Override
  public void append(int layer, TensorView k, TensorView v) {
    engine.guarded(
        () -> {
          engine.staging.bind(bind(layer), k, v);
          append(layer);
          // Without queries, masses only move on.
          engine.parameters(layer).setMasses(false, 0, 0);
          engine.launches(layer).mass(tables.longestWindow(), sequences.size());
          flush(layer);
        });
    await(layer, k, v, !k.isDevice() || !v.isDevice());
  }

  /**
   * Waits where the host has to: after the last layer, and before it reads or reuses the memory
   * through which host tensors pass.
   */
  private void await(int layer, TensorView k, TensorView v, boolean onHost) {
    layersDone++;
    boolean last = layersDone == engine.layouts.length;
    if (last || onHost) {
      long errorBytes = (long) engine.layouts.length * Long.BYTES;
      engine.guarded(
          () -> {
            device.copyToHost(back.host().asSlice(0, errorBytes), engine.errors(), engine.stream);
            if (last) {
              engine.sinks.fetch(sequences, back.host().asSlice(errorBytes));
            }
            device.synchronize(engine.stream);
          });
      refuseBadElement(layer, k, v);
    }
  }

  private void queue(int layer, TensorView q, TensorView k, TensorView v, TensorView out) {
    engine.staging.bind(bind(layer), q, k, v, out);
    if (tables.appendWarps() > 1) {
      append(layer);
    }
    attend(layer, q.dtype());
    engine.staging.fetch(q, k, v, out);
    flush(layer);
  }

  /**
   * Queues the rows' way into the window; the layer's operands are bound. Attention does that
   * itself where every sequence has one new row.
   */
  void append(int layer) {
    engine.launches(layer).append(tables.appendWarps(), sequences.size());
  }

  /** Queues the attention; the type of q is that of the bound one. */
  void attend(int layer, DType type) {
    LayerLaunches launches = engine.launches(layer);
    launches.attend(items[layer].count(), columns[layer]);
    LaunchParameters parameters = engine.parameters(layer).set(Long8.PARTIALS, staged.parts());
    launches.prefill(tables.prompts().count(), type == DType.F32);
    parameters.set(Long8.PARTIALS, engine.partials());
    launches.mass(tables.longestWindow(), sequences.size());
  }

  /** Queues what the pages that fill need. */
  void flush(int layer) {
    if (tables.newPages() == 0) {
      return;
    }
    LayerLaunches launches = engine.launches(layer);
    launches.flush(tables.newPages(), sequences.size());
    if (tables.stagedBlocks() > 0) {
      launches.copy("keep", sequences.size());
    }
  }

  /** Names the first element that fp16 cannot hold. */
  private void refuseBadElement(int layer, TensorView k, TensorView v) {
    for (int l = 0; l < engine.layouts.length; l++) {
      long code = back.host().get(JAVA_LONG, (long) l * Long.BYTES);
      if (code == BadElement.NONE) {
        continue;
      }
      engine.guarded(engine::clearErrors);
      BadElement bad = BadElement.decode(code);
      SequenceStep step = sequences.get(bad.sequence());
      // Only the present layer's tensors are at hand.
      String number =
          l == layer
              ? Float.toString(
                  element(
                      bad.isValue() ? v : k,
                      step.firstRow() + bad.row(),
                      bad.head(),
                      bad.channel()))
              : "not finite";
      require(
          false,
          "%s=%s at layer %d, head %d, position %d, channel %d, expected a finite number within the"
              + " fp16 range",
          bad.name(),
          number,
          l,
          bad.head(),
          step.state().length() + bad.row(),
          bad.channel());
    }
  }

  private float element(TensorView x, int token, int head, int channel) {
    int size = x.dtype().byteSize();
    long offset = x.byteOffset(token, head) + (long) channel * size;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment bytes = arena.allocate(Float.BYTES, Float.BYTES);
      MemorySegment part = bytes.asSlice(0, size);
      if (x.isDevice()) {
        engine.guarded(
            () -> {
              device.copyToHost(part, x.devicePointer() + offset, engine.stream);
              device.synchronize(engine.stream);
            });
      } else {
        MemorySegment.copy(x.segment(), offset, part, 0, size);
      }
      int bits = bytes.get(java.lang.foreign.ValueLayout.JAVA_INT, 0);
      return switch (x.dtype()) {
        case F32 -> Float.intBitsToFloat(bits);
        case F16 -> Float.float16ToFloat((short) bits);
        case BF16 -> Float.intBitsToFloat(bits << 16);
      };
    }
  }

  @Override
  public void commit() {
    long errorBytes = (long) engine.layouts.length * Long.BYTES;
    if (tables.stagedBlocks() > 0) {
      engine.guarded(this::publish);
    }
    engine.sinks.read(engine.sinks.switchSides(sequences), back.host().asSlice(errorBytes));
    end();
  }

  private void publish() {
    for (int layer = 0; layer < engine.layouts.length; layer++) {
      bind(layer);
      engine.launches(layer).copy("publish", sequences.size());
    }
    device.synchronize(engine.stream);
  }

  private void end() {
    if (!engine.isFailed()) {
      staged.free();
      engine.buffers.giveBack(plan);
      engine.buffers.giveBack(back);
    }
  }

  @Override
  public void rollback() {
    if (!engine.isFailed()) {
      engine.guarded(
          () -> {
            device.synchronize(engine.stream);
            engine.clearErrors();
          });
    }
    end();
  }
}
