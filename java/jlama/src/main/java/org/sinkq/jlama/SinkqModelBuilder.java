package org.sinkq.jlama;

import static org.sinkq.InvalidArgumentException.require;

import com.github.tjake.jlama.model.AbstractModel.InferenceType;
import com.github.tjake.jlama.model.DistributedContext;
import com.github.tjake.jlama.safetensors.Config;
import com.github.tjake.jlama.safetensors.DType;
import com.github.tjake.jlama.safetensors.SafeTensorSupport;
import com.github.tjake.jlama.safetensors.WeightLoader;
import com.github.tjake.jlama.util.PhysicalCoreExecutor;
import java.io.File;
import java.util.Optional;
import java.util.function.Function;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.BackendConfig;
import org.sinkq.KvCacheSpec;
import org.sinkq.ModelShape;

/** Collects the settings of a {@link SinkqModel}; Jlama's own defaults where it has some. */
public final class SinkqModelBuilder {
  private static final int DEFAULT_CONVERSATIONS = 8;

  /** Tokens that each of the default conversations can count on; one alone may have them all. */
  private static final int DEFAULT_TOKENS = 4096;

  private final File model;
  private DType workingType = DType.F32;
  private DType workingQuantization = DType.I8;
  private Optional<DType> modelQuantization = Optional.empty();
  private InferenceType inferenceType = InferenceType.FULL_GENERATION;
  private Optional<Function<Config, DistributedContext>> distributed = Optional.empty();
  private Function<File, WeightLoader> weights = SafeTensorSupport::loadWeights;
  private Optional<KvCacheSpec> cache = Optional.empty();
  private String engine = BackendConfig.AUTO;
  private int threads;
  private int idleSessions;

  SinkqModelBuilder(File model) {
    this.model = model;
  }

  /** Jlama's element types of activations: F32 or BF16, and I8, F32 or BF16 for products. */
  public SinkqModelBuilder workingTypes(DType memory, DType quantization) {
    workingType = memory;
    workingQuantization = quantization;
    return this;
  }

  /** Element type that Jlama quantizes the weights to while it loads them. */
  public SinkqModelBuilder modelQuantization(DType type) {
    modelQuantization = Optional.of(type);
    return this;
  }

  /** Size and format of the cache. By default 8 conversations of 4,096 tokens, 2 bits, sinks. */
  public SinkqModelBuilder cache(KvCacheSpec spec) {
    cache = Optional.of(spec);
    return this;
  }

  /** Attention engine by name; by default the best that can run here. */
  public SinkqModelBuilder engine(String name) {
    engine = name;
    return this;
  }

  /** Threads of Jlama and of the attention engine; 0 leaves both to their defaults. */
  public SinkqModelBuilder threads(int count) {
    threads = count;
    return this;
  }

  /**
   * Sessions whose cache is kept after a generation for their next prompt. By default none: each
   * generation gives its pages back. The oldest go first, also where the cache gets full.
   */
  public SinkqModelBuilder idleSessions(int count) {
    idleSessions = count;
    return this;
  }

  SinkqModelBuilder inferenceType(InferenceType type) {
    inferenceType = type;
    return this;
  }

  SinkqModelBuilder distributed(Function<Config, DistributedContext> loader) {
    distributed = Optional.of(loader);
    return this;
  }

  SinkqModelBuilder weights(Function<File, WeightLoader> loader) {
    weights = loader;
    return this;
  }

  /**
   * Opens the model.
   *
   * @throws org.sinkq.InvalidArgumentException if a setting or the model is not supported; no
   *     weights are loaded
   * @throws org.sinkq.DeviceException if the memory of the cache cannot be had
   */
  public SinkqModel load() {
    require(
        threads >= 0 && threads <= Runtime.getRuntime().availableProcessors(),
        "threads=%d, expected 0 (the default) to %d, the processors here",
        threads,
        Runtime.getRuntime().availableProcessors());
    require(idleSessions >= 0, "idleSessions=%d, expected 0 or more", idleSessions);
    require(
        inferenceType == InferenceType.FULL_GENERATION,
        "inferenceType=%s, expected FULL_GENERATION",
        inferenceType);
    require(
        workingType == DType.F32 || workingType == DType.BF16,
        "workingType=%s, expected F32 or BF16",
        workingType);
    ModelFolder folder = ModelFolder.read(model);
    distributed.ifPresent(d -> folder.config().setDistributedContext(d.apply(folder.config())));
    ModelShape shape = folder.shape();
    KvCacheSpec spec = cache.orElseGet(() -> defaultCache(folder.config().contextLength));
    require(
        spec.capacityTokens() <= folder.config().contextLength,
        "capacityTokens=%d, expected at most %d, the model's context",
        spec.capacityTokens(),
        folder.config().contextLength);
    if (threads > 0) {
      PhysicalCoreExecutor.overrideThreadCount(threads);
    }
    AttentionBackend backend =
        AttentionBackends.open(new BackendConfig(shape, spec, engine, threads));
    SinkqModel loaded = null;
    try {
      loaded =
          new SinkqModel(
              new SinkqModel.Parts(
                  folder.type(),
                  folder.config(),
                  weights.apply(folder.path()),
                  folder.tokenizer(),
                  workingType,
                  workingQuantization,
                  modelQuantization,
                  backend,
                  idleSessions));
      return loaded;
    } finally {
      if (loaded == null) {
        backend.close();
      }
    }
  }

  private static KvCacheSpec defaultCache(int contextLength) {
    return KvCacheSpec.builder()
        .maxSequences(DEFAULT_CONVERSATIONS)
        .capacityTokens(Math.min(DEFAULT_TOKENS, contextLength))
        .build();
  }
}
