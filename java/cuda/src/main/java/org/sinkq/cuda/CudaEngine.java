package org.sinkq.cuda;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.sinkq.DeviceException;
import org.sinkq.InvalidArgumentException;
import org.sinkq.RecordedStep;
import org.sinkq.cache.SequenceState;
import org.sinkq.cache.SequenceStep;
import org.sinkq.cache.StepPlan;
import org.sinkq.cuda.LaunchParameters.Int4;
import org.sinkq.cuda.LaunchParameters.Long8;
import org.sinkq.engine.CacheMemory;
import org.sinkq.engine.Engine;
import org.sinkq.engine.EngineGraph;
import org.sinkq.engine.EngineStep;
import org.sinkq.engine.PageImage;
import org.sinkq.layout.CacheGeometry;

/**
 * Pages and rows in device memory, all work on one stream.
 *
 * <pre>
 *   pages          layer by layer [page][KV head]
 *   dense rows     sequence slot by slot: layer by layer [KV head]
 *   sink tables    see {@link SinkMirror}
 *   workspace      partial results and arrival counters of attend, extents of its columns and logits of
 *                  window tokens where sinks go by mass, picks of select, error codes
 * </pre>
 */
final class CudaEngine implements Engine, CudaHost {
  /** attend holds up to this many blocks of each SM at a time: two hide each other's latency. */
  private static final int BLOCKS_PER_SM = 2;

  /** CUDA_ERROR_OUT_OF_MEMORY, the one error after which a context still works. */
  private static final int OUT_OF_MEMORY = 2;

  final CudaDevice device;
  final CudaKernels kernels;
  final CacheGeometry geometry;
  final CudaLayout[] layouts;
  final CudaDevice.Stream stream;
  final DeviceBuffers buffers;
  final SinkMirror sinks;
  final OperandStaging staging;
  private final SequenceCopies copies;
  final ReplayLog replays;
  private final Arena arena = Arena.ofShared();
  private final LaunchParameters[] parameters;
  private final long[] pageAddress;
  private final long[] rowOffset;
  private final long rowAddress;
  private final long rowStride;
  private final long errors;
  private long partials;
  private final int extentRows;
  private long extents;
  private long windowLogits;
  private final Runnable onFailure;
  private final int pages;
  private final Map<CudaDevice.Function, Integer> waves = new HashMap<>();
  private boolean recording;
  private DeviceException failure;

  /**
   * Allocates everything.
   *
   * @param onFailure told when the device can no longer be used
   */
  CudaEngine(CacheMemory memory, CudaDevice device, CudaKernels kernels, Runnable onFailure) {
    this.device = device;
    this.kernels = kernels;
    this.onFailure = onFailure;
    geometry = memory.geometry();
    pages = memory.pages();
    extentRows = memory.sequences();
    int layers = geometry.shape().numLayers();
    layouts = new CudaLayout[layers];
    rowOffset = new long[layers];
    pageAddress = new long[layers];
    long stride = 0;
    for (int i = 0; i < layers; i++) {
      layouts[i] = new CudaLayout(geometry, i);
      rowOffset[i] = stride;
      stride += geometry.shape().numKvHeads() * layouts[i].headBytes;
    }
    rowStride = stride;
    if (geometry.tracksMass()) {
      kernels.loadMasses();
    }
    buffers = new DeviceBuffers(device);
    stream = device.createStream();
    boolean done = false;
    try {
      for (int i = 0; i < layers; i++) {
        pageAddress[i] = buffers.allocate(memory.pages() * pageStride(i));
      }
      rowAddress = buffers.allocate(memory.sequences() * rowStride);
      // Unused slots of a block take part in products with weight 0, so they have to be finite.
      device.fill(rowAddress, (byte) 0, memory.sequences() * rowStride, stream);
      sinks = new SinkMirror(device, buffers, stream, memory);
      staging = new OperandStaging(device, buffers, stream);
      copies = new SequenceCopies(device, buffers, stream);
      errors = buffers.allocate((long) layers * Long.BYTES);
      clearErrors();
      replays = new ReplayLog(this);
      parameters = parameters(memory);
      device.synchronize(stream);
      done = true;
    } finally {
      if (!done) {
        close();
      }
    }
  }

  @Override
  public CudaDevice device() {
    return device;
  }

  @Override
  public CudaDevice.Stream stream() {
    return stream;
  }

  private long pageStride(int layer) {
    return (long) geometry.shape().numKvHeads() * layouts[layer].pageBytes;
  }

  private LaunchParameters[] parameters(CacheMemory memory) {
    int slots = blocks();
    int heads = geometry.shape().numKvHeads();
    partials =
        buffers.allocate(
            (long) slots
                * CudaKernels.MANY_COLUMNS
                * (geometry.shape().headDim() + 2)
                * Float.BYTES);
    long counters = buffers.allocate((long) slots * Integer.BYTES);
    device.fill(counters, (byte) 0, (long) slots * Integer.BYTES, stream);
    int pickInts = Math.max(1, geometry.sinks().poolTokens());
    long picks = buffers.allocate((long) memory.sequences() * heads * pickInts * Integer.BYTES);
    extents = buffers.allocate(extentBytes(extentRows));
    windowLogits = buffers.allocate(memory.sequences() * CudaLayout.windowLogitBytes(geometry));
    LaunchParameters[] all = new LaunchParameters[layouts.length];
    for (int i = 0; i < all.length; i++) {
      int tracked = geometry.trackedHead(i, 0);
      all[i] =
          new LaunchParameters(arena)
              .set(Long8.PAGES, pageAddress[i])
              .set(Long8.ROWS, rowAddress + rowOffset[i])
              .set(Long8.ROWS_STRIDE, rowStride)
              .set(Long8.HEAD_STRIDE, layouts[i].headBytes)
              .set(Long8.SINKS, sinks.address())
              .set(Long8.SINKS_STRIDE, sinks.stride())
              .set(Long8.PICKS, picks)
              .set(Long8.PARTIALS, partials)
              .set(Long8.COUNTERS, counters)
              .set(Long8.ERROR, errors + (long) i * Long.BYTES)
              .set(Int4.LAYER, i)
              .set(Int4.KV_HEADS, heads)
              .set(Int4.GROUP, geometry.shape().groupSize())
              .set(Int4.PAGE_TOKENS, geometry.pageTokens())
              .set(Int4.RING_TOKENS, geometry.ringTokens())
              .set(Int4.SINK_SLOTS, layouts[i].sinkSlots)
              .set(Int4.POOL_TOKENS, geometry.layer(i).sinks().poolTokens())
              .set(Int4.SPILL_TOKENS, geometry.layer(i).sinks().spillTokens())
              .set(Int4.TRACKED_HEAD, Math.max(0, tracked))
              .set(Int4.TRACKED_HEADS, geometry.trackedHeads())
              .set(Int4.SLIDING_WINDOW, geometry.shape().slidingWindow(i))
              .set(Int4.BITS, layouts[i].bits)
              .set(Int4.MASSES, layouts[i].tracksMass ? 1 : 0)
              .setSoftmax(geometry.shape().softmaxScale(), geometry.shape().logitsSoftCap());
    }
    return all;
  }

  LaunchParameters parameters(int layer) {
    return parameters[layer];
  }

  LayerLaunches launches(int layer) {
    return new LayerLaunches(this, layer, stream);
  }

  /** Address of a layer's pages. */
  long pages(int layer) {
    return pageAddress[layer];
  }

  /** Address of the error codes, one long for each layer. */
  long errors() {
    return errors;
  }

  /** No bad element is known; codes are compared unsigned. */
  void clearErrors() {
    device.fill(errors, (byte) 0xFF, (long) layouts.length * Long.BYTES, stream);
  }

  /** Blocks of attend or prefill that run side by side if registers and shared memory allow it. */
  int blocks() {
    return device.facts().multiprocessors() * BLOCKS_PER_SM;
  }

  /** Address of the partial results of attend. */
  long partials() {
    return partials;
  }

  /**
   * Where attention of a layer leaves the extents of its columns, for as many rows as there may be
   * sequences; 0 if nobody needs them.
   */
  long extents(int layer) {
    return layouts[layer].tracksMass ? extents : 0;
  }

  /**
   * Where attention of a layer leaves logits of window tokens, to give them their masses itself; 0
   * if it does not have to.
   */
  long windowLogits(int layer) {
    return layouts[layer].tracksMass ? windowLogits : 0;
  }

  /** Bytes of the extents of so many rows, if there are too many for those. */
  long missingExtents(int rows) {
    return rows > extentRows ? extentBytes(rows) : 0;
  }

  private long extentBytes(int rows) {
    long bytes = (long) rows * geometry.shape().numQoHeads() * 2 * Float.BYTES;
    return geometry.tracksMass() ? bytes : 0;
  }

  /** Blocks of attend that run side by side. */
  int waveBlocks(CudaLayout layout, int columns) {
    return waves.computeIfAbsent(
        kernels.attend(layout, columns),
        attend -> {
          int perSm =
              device.blocksPerMultiprocessor(
                  attend, CudaKernels.ATTEND_THREADS, layout.attendShared());
          return device.facts().multiprocessors() * Math.clamp(perSm, 1, BLOCKS_PER_SM);
        });
  }

  /** Queues one launch. */
  void launch(
      CudaDevice.Stream on,
      CudaDevice.Function function,
      int x,
      int y,
      int z,
      int threads,
      int shared,
      int layer) {
    device.launch(
        new CudaDevice.Launch(function, x, y, z, threads, shared, parameters[layer].segment()), on);
  }

  /**
   * Runs something that uses the device; after an error that leaves the context unusable everything
   * else fails at once, with that error.
   */
  void guarded(Runnable work) {
    if (failure != null) {
      throw failure;
    }
    InvalidArgumentException.require(
        !recording, "backend=recording a step, expected nothing else until it is recorded");
    try {
      work.run();
    } catch (DeviceException e) {
      if (e.code() != OUT_OF_MEMORY && e.code() != 0) {
        failure = e;
        onFailure.run();
      }
      throw e;
    }
  }

  boolean isFailed() {
    return failure != null;
  }

  @Override
  public EngineStep begin(StepPlan plan) {
    EngineStep[] step = new EngineStep[1];
    guarded(
        () -> {
          replays.settle();
          replays.report();
          step[0] = new CudaStep(this, plan);
        });
    return step[0];
  }

  @Override
  public EngineGraph record(int batch, Consumer<RecordedStep> body) {
    EngineGraph[] graph = new EngineGraph[1];
    guarded(() -> graph[0] = new CudaGraph(this, batch, pages, body));
    return graph[0];
  }

  /** Records what is queued on the stream; what goes wrong ends the recording. */
  CudaDevice.Graph recording(Runnable work) {
    device.beginCapture(stream);
    recording = true;
    boolean done = false;
    try {
      work.run();
      done = true;
    } finally {
      recording = false;
      if (!done) {
        device.abandonCapture(stream);
      }
    }
    return device.endCapture(stream);
  }

  @Override
  public void settle() {
    if (!isFailed()) {
      guarded(replays::settle);
    }
  }

  @Override
  public void copyRows(SequenceState from, SequenceState to) {
    guarded(
        () -> {
          device.copy(
              rowAddress + to.slot() * rowStride,
              rowAddress + from.slot() * rowStride,
              rowStride,
              stream);
          sinks.copyScoreSide(from, to);
          device.synchronize(stream);
        });
  }

  @Override
  public void reopen(SequenceState sequence, int pageIndex, int tokens) {
    guarded(() -> reopenAll(sequence, pageIndex, tokens));
  }

  private void reopenAll(SequenceState sequence, int pageIndex, int tokens) {
    sinks.refresh(sequence);
    SequenceStep one = new SequenceStep(sequence, 0, tokens, new int[0]);
    StepTables tables = new StepTables(List.of(one), geometry, sinks, blocks());
    int[] words = tables.words();
    words[REOPEN_PAGE_INDEX] = pageIndex;
    words[REOPEN_PAGE_TABLE] += pageIndex;
    DeviceBuffers.Mirrored plan = upload(words, tables.length());
    for (int i = 0; i < layouts.length; i++) {
      parameters[i].set(Long8.PLAN, plan.device()).set(Int4.SEQUENCE_TABLE, 0);
      int heads = geometry.shape().numKvHeads();
      launch(stream, kernels.reopen(layouts[i]), tokens, heads, 1, CudaKernels.WARP, 0, i);
    }
    device.synchronize(stream);
    buffers.giveBack(plan);
  }

  /** Where reopen's plan differs from a step's: fields of {@code Sequence} in params.cuh. */
  private static final int REOPEN_PAGE_TABLE = 6;

  private static final int REOPEN_PAGE_INDEX = 7;

  /** Sends the tables of a step. */
  DeviceBuffers.Mirrored upload(int[] words, int length) {
    long bytes = (long) length * Integer.BYTES;
    DeviceBuffers.Mirrored plan = buffers.mirrored(bytes);
    MemorySegment.copy(words, 0, plan.host(), JAVA_INT, 0, length);
    device.copyToDevice(plan.device(), plan.host().asSlice(0, bytes), stream);
    return plan;
  }

  private PageDecoder read(int layer, long address, long bytes) {
    return new PageDecoder(layouts[layer], read(address, bytes));
  }

  private MemorySegment read(long address, long bytes) {
    MemorySegment copy = Arena.ofAuto().allocate(bytes, Long.BYTES);
    guarded(
        () -> {
          device.copyToHost(copy, address, stream);
          device.synchronize(stream);
        });
    return copy;
  }

  @Override
  public PageImage readPage(int layer, int head, int page) {
    long at =
        pageAddress[layer] + page * pageStride(layer) + (long) head * layouts[layer].pageBytes;
    return read(layer, at, layouts[layer].pageBytes).image();
  }

  private long headRows(int layer, int head, SequenceState sequence) {
    return rowAddress
        + sequence.slot() * rowStride
        + rowOffset[layer]
        + head * layouts[layer].headBytes;
  }

  private float[] readRow(int layer, long blocks, int slot) {
    long block = layouts[layer].denseBlock;
    return read(layer, blocks + slot / CudaLayout.TILE * block, block)
        .denseRow(slot % CudaLayout.TILE);
  }

  @Override
  public float[] readWindowRow(int layer, int head, SequenceState sequence, int position) {
    return readRow(layer, headRows(layer, head, sequence), position % geometry.ringTokens());
  }

  @Override
  public float[] readSinkRow(int layer, int head, SequenceState sequence, int sinkSlot) {
    long sinkRows = headRows(layer, head, sequence) + layouts[layer].sinkOffset();
    return readRow(layer, sinkRows, sinkSlot);
  }

  @Override
  public void readPages(int layer, int[] ids, MemorySegment to) {
    guarded(() -> copies.pages(pageAddress[layer], pageStride(layer), ids, to, true));
  }

  @Override
  public void writePages(int layer, int[] ids, MemorySegment from) {
    guarded(() -> copies.pages(pageAddress[layer], pageStride(layer), ids, from, false));
  }

  @Override
  public void readRows(int layer, SequenceState sequence, MemorySegment to) {
    long rows = headRows(layer, 0, sequence);
    guarded(() -> copies.readRows(geometry, layer, layouts[layer], sequence, rows, to));
  }

  @Override
  public void writeRows(int layer, SequenceState sequence, MemorySegment from) {
    long rows = headRows(layer, 0, sequence);
    guarded(() -> copies.writeRows(geometry, layer, layouts[layer], sequence, rows, from));
  }

  @Override
  public long readScore(int layer, int head, SequenceState sequence, int position) {
    CudaLayout layout = layouts[layer];
    long side =
        headRows(layer, head, sequence)
            + layout.scoreOffset()
            + sinks.scoreSide(sequence) * layout.scoreBytes();
    long slot = position % geometry.ringTokens();
    return read(side + slot * Long.BYTES, Long.BYTES).get(JAVA_LONG, 0);
  }

  @Override
  public void close() {
    try {
      if (failure == null) {
        device.synchronize(stream);
        if (replays != null) {
          replays.close();
        }
        buffers.close();
        device.destroy(stream);
      }
    } finally {
      arena.close();
    }
  }
}
