package org.sinkq.jlama;

import com.github.tjake.jlama.model.AbstractModel.InferenceType;
import com.github.tjake.jlama.model.DistributedContext;
import com.github.tjake.jlama.safetensors.Config;
import com.github.tjake.jlama.safetensors.DType;
import com.github.tjake.jlama.safetensors.WeightLoader;
import java.io.File;
import java.util.Optional;
import java.util.function.Function;

/**
 * Jlama's {@code ModelSupport} with SinkQ behind it: replace the class name, keep the rest.
 *
 * <pre>{@code
 * AbstractModel model = ModelSupport.loadModel(folder, DType.F32, DType.I8);        // before
 * AbstractModel model = SinkqModelSupport.loadModel(folder, DType.F32, DType.I8);   // after
 * }</pre>
 *
 * Settings of the cache are on the {@linkplain #builder builder}.
 */
public final class SinkqModelSupport {
  private SinkqModelSupport() {}

  /** Opens a model with settings of its own. */
  public static SinkqModelBuilder builder(File model) {
    return new SinkqModelBuilder(model);
  }

  /**
   * Opens a model for generation, with the default cache.
   *
   * @param model its folder, or a file in it
   * @throws org.sinkq.InvalidArgumentException if the model is not supported; nothing is loaded
   */
  public static SinkqModel loadModel(File model, DType workingType, DType workingQuantization) {
    return builder(model).workingTypes(workingType, workingQuantization).load();
  }

  /**
   * Opens a model for generation, with the default cache.
   *
   * @param workingDirectory not used, as no pages are written
   * @param modelQuantization what the weights are quantized to while they are loaded
   * @param threads threads of Jlama and of the attention engine
   * @throws org.sinkq.InvalidArgumentException if the model is not supported; nothing is loaded
   */
  public static SinkqModel loadModel(
      File model,
      File workingDirectory,
      DType workingType,
      DType workingQuantization,
      Optional<DType> modelQuantization,
      Optional<Integer> threads) {
    SinkqModelBuilder builder = builder(model).workingTypes(workingType, workingQuantization);
    modelQuantization.ifPresent(builder::modelQuantization);
    threads.ifPresent(builder::threads);
    return builder.load();
  }

  /**
   * Jlama's full form.
   *
   * @param inferenceType {@code FULL_GENERATION}
   * @param distributed refused if it shards the model
   * @throws org.sinkq.InvalidArgumentException if the model is not supported; nothing is loaded
   */
  public static SinkqModel loadModel(
      InferenceType inferenceType,
      File model,
      File workingDirectory,
      DType workingType,
      DType workingQuantization,
      Optional<DType> modelQuantization,
      Optional<Integer> threads,
      Optional<Function<Config, DistributedContext>> distributed,
      Function<File, WeightLoader> weights) {
    SinkqModelBuilder builder =
        builder(model)
            .workingTypes(workingType, workingQuantization)
            .inferenceType(inferenceType)
            .weights(weights);
    modelQuantization.ifPresent(builder::modelQuantization);
    threads.ifPresent(builder::threads);
    distributed.ifPresent(builder::distributed);
    return builder.load();
  }
}
