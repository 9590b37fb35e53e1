package org.sinkq.cli;

import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.cli.models.ModelStore;
import org.sinkq.llm.LanguageModel;
import org.sinkq.llm.generate.GenerationListener;
import org.sinkq.llm.generate.GenerationOptions;
import org.sinkq.llm.generate.GenerationResult;
import org.sinkq.llm.generate.TextGenerator;
import org.sinkq.llm.text.ChatMessage;
import org.sinkq.llm.text.ChatTemplate;
import org.sinkq.llm.text.Tokenizer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Generates text. */
@Command(
    name = "generate",
    description = {
      "Continue a text with a model whose keys and values live in a SinkQ cache.",
      "",
      "The text goes to stdout. It ends with a summary, on stderr, or with --json on the last line"
          + " of stdout. cacheBytes is everything the engine allocated for the cache: pages,"
          + " windows, sinks and index tables; fp16Bytes is what the same tokens take in fp16;"
          + " ratio is fp16Bytes / cacheBytes, and sinkTokens the tokens in the pools of all layers"
          + " and heads.",
      ""
    },
    footer = {
      "  sinkq generate \"The history of the lighthouse\"",
      "  sinkq generate --chat --temperature 0 \"Why is the sky blue?\"",
      "  sinkq generate --model model.gguf --kv kivi2 --prompt-file book.txt --max-tokens 50",
      "  echo \"Once upon a time\" | sinkq generate --prompt-file - --json | tail -n 1"
    })
final class GenerateCommand implements Runnable {
  private final Environment environment;
  private final ModelStore models;

  @Spec private CommandSpec spec;

  @Mixin private PromptOptions prompt;

  @Mixin private ModelOption modelFile;

  @Option(
      names = "--chat",
      description = "Take the prompt as a question, and put it into the model's chat template.")
  private boolean chat;

  @Mixin private SamplingFlags sampling;

  @Option(
      names = "--stop",
      paramLabel = "TEXT",
      description = "End before this text; can be given several times.")
  private List<String> stops = List.of();

  @Option(
      names = "--context",
      paramLabel = "N",
      description =
          "Tokens the cache has room for (default: prompt and --max-tokens, at most the model's"
              + " context).")
  private Integer context;

  @Mixin private KvOptions kv;
  @Mixin private EngineOptions engine;

  @Option(names = "--no-stream", description = "Print the text when it is complete.")
  private boolean noStream;

  @Option(names = "--stats", description = "Print details about model, time and cache on stderr.")
  private boolean withStats;

  @Option(names = "--json", description = "End stdout with the summary as one line of JSON.")
  private boolean json;

  GenerateCommand(Environment environment, ModelStore models) {
    this.environment = environment;
    this.models = models;
  }

  @Override
  public void run() {
    GenerationOptions options = sampling.options();
    KvSettings settings = kv.settings();
    engine.check();
    prompt.check();
    if (stops.stream().anyMatch(String::isEmpty)) {
      throw new ParameterException(spec.commandLine(), "--stop is empty, expected a text");
    }
    String text = prompt.read();
    PrintWriter err = spec.commandLine().getErr();
    try (Interrupt interrupt = new Interrupt();
        Progress progress = new Progress(err, environment.errIsTerminal());
        LanguageModel model =
            LanguageModel.open(modelFile.file(models, progress), engine.threads())) {
      Tokenizer tokenizer = Tokenizer.of(model.file());
      int[] tokens = encode(model, tokenizer, text);
      int capacity = capacity(tokens.length, model.info().contextLength());
      try (AttentionBackend backend =
          AttentionBackends.open(
              engine.config(
                  model.attentionShape(), settings.spec(capacity, KvSettings.FIRST_SINK_LAYER)))) {
        engine.place(model, backend);
        Output output = new Output(interrupt, progress);
        GenerationResult result =
            new TextGenerator(model, tokenizer, backend).generate(tokens, options, output);
        output.finish();
        report(new GenerateReport(model.info(), settings, backend, result), err);
      }
    }
  }

  private int[] encode(LanguageModel model, Tokenizer tokenizer, String text) {
    if (!chat) {
      return tokenizer.encode(text, true);
    }
    ChatTemplate template = ChatTemplate.of(model.file(), tokenizer);
    return tokenizer.encodeMarkup(template.render(List.of(ChatMessage.user(text)), true), false);
  }

  /** Tokens to make room for. */
  private int capacity(int promptTokens, int modelContext) {
    if (context != null && (context < 1 || context > modelContext)) {
      throw new ParameterException(
          spec.commandLine(),
          "--context=" + context + ", expected 1 to the model's context of " + modelContext);
    }
    int limit = context == null ? modelContext : context;
    if (promptTokens > limit) {
      throw new CommandException(
          String.format(
              Locale.ROOT,
              "the prompt has %d tokens, expected at most %d: %s; shorten it%s",
              promptTokens,
              limit,
              context == null ? "the model's context" : "--context",
              context == null ? "" : " or raise --context, up to " + modelContext));
    }
    return context == null
        ? (int) Math.min(limit, (long) promptTokens + sampling.maxTokens())
        : context;
  }

  private void report(GenerateReport report, PrintWriter err) {
    PrintWriter out = spec.commandLine().getOut();
    out.println();
    if (json) {
      out.println(Json.line(report.json()));
    }
    out.flush();
    if (withStats) {
      err.println(report.details());
    }
    if (!json) {
      err.println(report.summary());
    }
    err.flush();
  }

  /** Passes text to stdout, and ends the generation on Ctrl-C, at a stop text or a closed pipe. */
  private final class Output implements GenerationListener {
    private final Interrupt interrupt;
    private final Progress progress;
    private final PrintWriter out = spec.commandLine().getOut();
    private final StringBuilder complete = new StringBuilder();
    private final StopStrings stop = new StopStrings(stops, this::print);
    private boolean closed;

    Output(Interrupt interrupt, Progress progress) {
      this.interrupt = interrupt;
      this.progress = progress;
    }

    @Override
    public void onPrefill(int done, int total) {
      if (done < total) {
        progress.accept("reading the prompt: " + done + " of " + total + " tokens");
      } else {
        progress.close();
      }
    }

    @Override
    public void onText(String text) {
      stop.accept(text);
    }

    private void print(String text) {
      if (noStream) {
        complete.append(text);
      } else {
        out.print(text);
        closed = out.checkError();
      }
    }

    @Override
    public boolean isStopRequested() {
      return interrupt.isRequested() || stop.isFound() || closed;
    }

    void finish() {
      stop.finish();
      out.print(complete);
    }
  }
}
