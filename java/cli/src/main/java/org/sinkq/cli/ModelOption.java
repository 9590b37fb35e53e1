package org.sinkq.cli;

import java.nio.file.Path;
import org.sinkq.cli.models.ModelStore;
import picocli.CommandLine.Option;

/** Which model runs. */
final class ModelOption {
  @Option(
      names = "--model",
      paramLabel = "FILE.gguf",
      description = "Model to run (default: SmolLM2-135M-Instruct, fetched on first use).")
  private Path file;

  /** Whether the user has named one. */
  boolean isGiven() {
    return file != null;
  }

  /** The file that was named, or the default model's. */
  Path file(ModelStore models, Progress progress) {
    if (file != null) {
      return file;
    }
    Path fetched = models.ensure(progress);
    progress.close();
    return fetched;
  }
}
