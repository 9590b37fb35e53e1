package org.sinkq.cuda;

import org.sinkq.cuda.LaunchParameters.Long8;

/**
 * The launches of one layer, with the grid and the shared memory of each kernel. Which tables and
 * operands they work on is what the layer's parameters say at the time.
 */
final class LayerLaunches {
  private final CudaEngine engine;
  private final CudaDevice.Stream flushStream;
  private final int layer;
  private final CudaLayout layout;
  private final int heads;

  /**
   * For one layer.
   *
   * @param flushStream where pages are filled; everything else goes to the engine's stream
   */
  LayerLaunches(CudaEngine engine, int layer, CudaDevice.Stream flushStream) {
    this.engine = engine;
    this.flushStream = flushStream;
    this.layer = layer;
    layout = engine.layouts[layer];
    heads = engine.geometry.shape().numKvHeads();
  }

  /**
   * The rows' way into the window: up to so many warps for each sequence. The only row of a
   * sequence gets there in {@link #attend}, too.
   */
  void append(int warps, int sequences) {
    launch(engine.kernels.function("append"), warps, heads, sequences, CudaKernels.WARP, 0);
  }

  /** Attention of so many items with so many columns each; the empty grid is no launch. */
  void attend(int items, int columns) {
    if (items > 0) {
      launch(
          givesMasses()
              ? engine.kernels.attendWithMasses(layout, columns)
              : engine.kernels.attend(layout, columns),
          items,
          1,
          1,
          CudaKernels.ATTEND_THREADS,
          layout.attendShared());
    }
  }

  /** Attention of so many tiles of prompts; the empty grid is no launch. */
  void prefill(int items, boolean floatQueries) {
    if (items > 0) {
      int shared = CudaLayout.prefillShared(engine.geometry.shape().headDim(), floatQueries);
      launch(engine.kernels.prefill(), items, 1, 1, CudaKernels.ATTEND_THREADS, shared);
    }
  }

  /**
   * Masses of window tokens, of up to {@code window} in each sequence, after their attention;
   * nothing where sinks do not go by mass, or attention gives the masses itself.
   */
  void mass(int window, int sequences) {
    if (layout.tracksMass && !givesMasses()) {
      int blocks = CudaLayout.ceilDiv(window, CudaLayout.massTokens(layout.headDim));
      CudaDevice.Function mass = engine.kernels.mass();
      launch(mass, heads, blocks, sequences, CudaLayout.massThreads(layout.headDim), 0);
    }
  }

  /** Whether the layer's parameters say that attention gives masses. */
  private boolean givesMasses() {
    return engine.parameters(layer).get(Long8.WINDOW_LOGITS) != 0;
  }

  /** Sink selection and packing of so many pages. */
  void flush(int pages, int sequences) {
    if (layout.sinkSlots > 0) {
      CudaDevice.Function select = engine.kernels.function("select");
      engine.launch(flushStream, select, heads, sequences, 1, CudaKernels.WARP, 0, layer);
    }
    engine.launch(
        flushStream,
        engine.kernels.pack(layout),
        pages,
        heads,
        layout.isAdaptive() ? 1 + layout.valueGroups : 2,
        CudaKernels.PACK_THREADS,
        layout.packShared(),
        layer);
  }

  /** Rows that a long step keeps outside the cache: "keep" takes them there, "publish" back. */
  void copy(String kernel, int sequences) {
    launch(engine.kernels.function(kernel), heads, sequences, 1, CudaKernels.COPY_THREADS, 0);
  }

  private void launch(CudaDevice.Function kernel, int x, int y, int z, int threads, int shared) {
    engine.launch(engine.stream, kernel, x, y, z, threads, shared, layer);
  }
}
