package org.sinkq.cli.plan;

import java.util.stream.IntStream;
import org.sinkq.KvCacheSpec;
import org.sinkq.ModelShape;

/** Predicts the time of decode steps of a model on a GPU. */
public final class StepPredictor {
  /**
   * Seconds that a launch of attention takes however little it reads: the step's rows into the
   * window, filling the pipeline, the last blocks, the merge. Measured on an H100 as what 1 x 8K,
   * 32K and 128K leave at 0 bytes.
   */
  private static final double ATTEND_SECONDS = 8e-6;

  /** Share of a step's attention that filling pages adds (docs/results, throughput). */
  private static final double FLUSH_SHARE = 0.006;

  /**
   * Matrix products are bound by reading the weights for few rows and by arithmetic for many;
   * between the two the times add up as a norm. Fits cuBLAS on an H100 (docs/results, throughput: 1
   * to 339 rows of Llama-3-8B) within 5 %.
   */
  private static final double GEMM_NORM = 2.6;

  /** Share of the read rate that products with few rows reach. */
  private static final double GEMM_READ = 0.86;

  /** Seconds of everything else in a layer, however few rows there are: a handful of launches. */
  private static final double OTHER_SECONDS = 20e-6;

  /** Blocks of attention that an SM holds. */
  private static final int BLOCKS_PER_SM = 2;

  private final DecoderShape model;
  private final Gpu gpu;
  private final String engine;

  /**
   * A predictor for one model on one GPU.
   *
   * @param engine whose bytes are counted
   */
  public StepPredictor(DecoderShape model, Gpu gpu, String engine) {
    this.model = model;
    this.gpu = gpu;
    this.engine = engine;
  }

  /**
   * Time of one decode step of {@code sequences} sequences that hold {@code contextTokens} each.
   */
  public StepTime stepTime(CapacityPlanner.Format format, int sequences, int contextTokens) {
    double attention = attendSeconds(format, sequences, contextTokens);
    return new StepTime(
        gemmSeconds(sequences), attention, FLUSH_SHARE * attention, otherSeconds(sequences));
  }

  private double gemmSeconds(int rows) {
    double read = Short.BYTES * (double) model.matrixParameters() / (GEMM_READ * gpu.readRate());
    double compute = 2.0 * model.matrixParameters() * rows / gpu.gemmRate();
    return Math.pow(Math.pow(read, GEMM_NORM) + Math.pow(compute, GEMM_NORM), 1 / GEMM_NORM);
  }

  /** What norms, RoPE and gates move: hidden rows in fp32, everything else in fp16. */
  private double otherSeconds(int rows) {
    ModelShape shape = model.attention();
    long heads = (long) shape.headDim() * (shape.numQoHeads() + 2 * shape.numKvHeads());
    long layerBytes = 12L * model.width() + 4 * heads + 6L * model.feedForward();
    long bytes = shape.numLayers() * layerBytes + (long) Float.BYTES * model.vocabulary();
    return shape.numLayers() * OTHER_SECONDS + rows * bytes / gpu.readRate();
  }

  /**
   * Part of the blocks that attention keeps busy. Each takes one sequence and KV head, or an equal
   * piece of it where all pieces still run side by side.
   */
  private double occupancy(int sequences) {
    long blocks = (long) BLOCKS_PER_SM * gpu.multiprocessors();
    long whole = (long) sequences * model.attention().numKvHeads();
    long pieces = whole * Math.max(1, blocks / whole);
    long waves = (pieces + blocks - 1) / blocks;
    return (double) pieces / (waves * blocks);
  }

  private double attendSeconds(CapacityPlanner.Format format, int sequences, int contextTokens) {
    ModelShape shape = model.attention();
    KvCacheSpec spec = format.spec(1, contextTokens);
    // Means over the layers. Half a page is in the window beyond the tokens that always are.
    double dense = 0;
    double pages = 0;
    for (int layer = 0; layer < shape.numLayers(); layer++) {
      int window = shape.slidingWindow(layer);
      int seen = window > 0 ? Math.min(contextTokens, window) : contextTokens;
      double exact = Math.min(seen, spec.windowTokens() + spec.pageTokens() / 2.0);
      dense += exact / shape.numLayers();
      pages += (seen - exact) / spec.pageTokens() / shape.numLayers();
    }
    double bytes =
        sequences * (pages * pageBytes(format, spec) + dense * shape.fp16BytesPerToken());
    double fixed = shape.numLayers() * ATTEND_SECONDS;
    double arithmetic = sequences * pages * dequantizeSeconds(spec) / occupancy(sequences);
    return fixed + Math.max(bytes / gpu.readRate(), arithmetic);
  }

  /** Bytes of a page of all layers: what one page more makes the engine allocate. */
  private long pageBytes(CapacityPlanner.Format format, KvCacheSpec spec) {
    int onePage = spec.windowTokens() + spec.pageTokens();
    return bytes(format, onePage + spec.pageTokens()) - bytes(format, onePage);
  }

  private long bytes(CapacityPlanner.Format format, int tokens) {
    return CapacityPlanner.requiredBytes(model, engine, format.spec(1, tokens));
  }

  /** Arithmetic of one page in the layers that are quantized. */
  private double dequantizeSeconds(KvCacheSpec spec) {
    ModelShape shape = model.attention();
    long layers =
        IntStream.range(0, shape.numLayers())
            .filter(layer -> spec.layer(layer).codec().isQuantized())
            .count();
    long elements = 2L * spec.pageTokens() * shape.headDim() * shape.numKvHeads();
    return layers * elements / gpu.elementRate();
  }
}
