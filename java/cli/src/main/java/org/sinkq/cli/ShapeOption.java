package org.sinkq.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.sinkq.cli.plan.DecoderShape;
import org.sinkq.llm.LanguageModel;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** A model by its sizes, or by a file. */
final class ShapeOption {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Option(
      names = "--shape",
      paramLabel = "NAME|FILE.gguf",
      defaultValue = "llama-3-8b",
      description =
          "Model: llama-3-8b, llama-2-7b, qwen3-32b-layer or a file (default: ${DEFAULT-VALUE}).")
  private String shape;

  /** The file, if the model is one. */
  Optional<Path> file() {
    return DecoderShape.find(shape).isPresent() ? Optional.empty() : Optional.of(Path.of(shape));
  }

  /**
   * The model's sizes.
   *
   * @throws ParameterException if it is neither a name nor a file
   */
  DecoderShape model() {
    if (DecoderShape.find(shape).isPresent()) {
      return DecoderShape.find(shape).get();
    }
    Path file = Path.of(shape);
    if (!Files.exists(file)) {
      throw new ParameterException(
          spec.commandLine(),
          "--shape="
              + shape
              + ", expected one of "
              + String.join(", ", DecoderShape.names())
              + " or a GGUF file");
    }
    try (LanguageModel open = LanguageModel.open(file, 1)) {
      int width = size(open, "embedding_length");
      long table = (long) open.info().vocabularySize() * width;
      long parameters = open.info().parameters();
      // Without an output head of its own the table of embeddings serves as one.
      boolean tied = open.file().findTensor("output.weight").isEmpty();
      return new DecoderShape(
          open.info().name(),
          open.attentionShape(),
          width,
          size(open, "feed_forward_length"),
          open.info().vocabularySize(),
          parameters,
          tied ? parameters : parameters - table);
    }
  }

  private static int size(LanguageModel model, String name) {
    return model.file().metadata().integer(model.info().architecture() + "." + name);
  }
}
