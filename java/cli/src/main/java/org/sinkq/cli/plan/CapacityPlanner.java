package org.sinkq.cli.plan;

import static org.sinkq.InvalidArgumentException.require;

import java.util.stream.IntStream;
import org.sinkq.AttentionBackends;
import org.sinkq.BackendConfig;
import org.sinkq.KvCacheSpec;
import org.sinkq.ModelShape;

/** Sizes a cache for a GPU and predicts its decode steps. */
public final class CapacityPlanner {
  /** Most sequences that a plan counts. */
  private static final int MOST_SEQUENCES = 1 << 16;

  /**
   * Seconds that a launch of attention takes however little it reads: filling the pipeline, the
   * last blocks, the merge. Measured on an H100 and an H200 as what 8 x 32K and 8 x 128K leave at 0
   * bytes.
   */
  private static final double ATTEND_SECONDS = 13e-6;

  /** Seconds of appending a step's rows in a layer: "with append" less "2 bit" in docs/results. */
  private static final double APPEND_SECONDS = 4e-6;

  /** Share of a step's attention that flushing takes, amortised (docs/results, long contexts). */
  private static final double FLUSH_SHARE = 0.006;

  /**
   * Matrix products are bound by reading the weights for few rows and by arithmetic for many;
   * between the two the times add up as a norm. Fits cuBLAS on an H100 (6.2, 6.7 and 10.5 ms for
   * 56, 128 and 364 rows of Llama-3-8B) within 7 %.
   */
  private static final double GEMM_NORM = 4;

  /** Share of the read rate that products with few rows reach. */
  private static final double GEMM_READ = 0.80;

  private final DecoderShape model;
  private final Gpu gpu;
  private final long memoryBytes;
  private final String engine;

  /**
   * A planner for one model on one GPU.
   *
   * @param memoryBytes device memory for weights and cache
   * @param engine whose bytes are counted
   */
  public CapacityPlanner(DecoderShape model, Gpu gpu, long memoryBytes, String engine) {
    require(
        memoryBytes > 0 && memoryBytes <= gpu.memoryBytes(),
        "memory=%d, expected 1 to the %d bytes of %s",
        memoryBytes,
        gpu.memoryBytes(),
        gpu);
    require(
        memoryBytes > model.weightBytes(),
        "memory=%d, expected more than the %d bytes of the weights of %s",
        memoryBytes,
        model.weightBytes(),
        model.name());
    this.model = model;
    this.gpu = gpu;
    this.memoryBytes = memoryBytes;
    this.engine = engine;
  }

  /** Bytes that weights leave for the cache. */
  public long cacheBytes() {
    return memoryBytes - model.weightBytes();
  }

  /** A cache format that only lacks its size. */
  public interface Format {
    /** The cache of that size. */
    KvCacheSpec spec(int sequences, int contextTokens);
  }

  /**
   * Bytes that the engine allocates.
   *
   * @param contextTokens tokens of each sequence
   */
  public long requiredBytes(Format format, int sequences, int contextTokens) {
    KvCacheSpec spec = format.spec(sequences, contextTokens);
    return AttentionBackends.requiredBytes(BackendConfig.of(model.attention(), spec), engine);
  }

  /**
   * Most sequences of {@code contextTokens} tokens that fit beside the weights; 0 if none does.
   * Every sequence takes as many bytes as the first.
   */
  public int sequencesThatFit(Format format, int contextTokens) {
    long fits = cacheBytes() / requiredBytes(format, 1, contextTokens);
    return (int) Math.min(fits, MOST_SEQUENCES);
  }

  /**
   * Time of one decode step of {@code sequences} sequences that hold {@code contextTokens} each.
   */
  public StepTime stepTime(Format format, int sequences, int contextTokens) {
    double attention = attendSeconds(format, sequences, contextTokens);
    return new StepTime(gemmSeconds(sequences), attention, FLUSH_SHARE * attention);
  }

  private double gemmSeconds(int rows) {
    double read = Short.BYTES * (double) model.matrixParameters() / (GEMM_READ * gpu.readRate());
    double compute = 2.0 * model.matrixParameters() * rows / gpu.gemmRate();
    return Math.pow(Math.pow(read, GEMM_NORM) + Math.pow(compute, GEMM_NORM), 1 / GEMM_NORM);
  }

  private double attendSeconds(Format format, int sequences, int contextTokens) {
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
    double fixed = shape.numLayers() * (ATTEND_SECONDS + APPEND_SECONDS);
    return fixed + Math.max(bytes / gpu.readRate(), sequences * pages * dequantizeSeconds(spec));
  }

  /** Bytes of a page of all layers: what one page more makes the engine allocate. */
  private long pageBytes(Format format, KvCacheSpec spec) {
    int onePage = spec.windowTokens() + spec.pageTokens();
    return requiredBytes(format, 1, onePage + spec.pageTokens())
        - requiredBytes(format, 1, onePage);
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
