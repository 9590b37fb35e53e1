package org.sinkq.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.function.IntFunction;
import org.sinkq.ModelShape;
import org.sinkq.cli.analyze.Analysis;
import org.sinkq.cli.analyze.HeadSurvey;
import org.sinkq.cli.eval.Contender;
import org.sinkq.cli.models.ModelStore;
import org.sinkq.cli.replay.Trace;
import org.sinkq.llm.LanguageModel;
import org.sinkq.llm.text.Tokenizer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Looks at the keys of a model or a trace, and at what sinks are for. */
@Command(
    name = "analyze",
    description = {
      "Look at the keys of a model and a text, or of a recorded trace: their magnitude, the channels"
          + " that stand out, the tokens that become sinks, and the error of attention with and"
          + " without them.",
      "",
      "norm is the sum over channels of |key|; a layer's smallest is given relative to its median."
          + " Outliers are channels whose mean magnitude is 4 times that of the median channel or"
          + " more. The errors are those of one layer's attention, relative to an fp16 cache that"
          + " gets the same queries, keys and values.",
      ""
    },
    footer = {
      "  sinkq analyze --text book.txt --tokens 2048 --report keys.html",
      "  sinkq analyze --trace trace.safetensors --kv sinkq2 --pool 6 --json"
    })
final class AnalyzeCommand implements Runnable {
  private final Environment environment;
  private final ModelStore models;

  @Spec private CommandSpec spec;
  @Mixin private ModelOption modelFile;
  @Mixin private TextOptions text;

  @Option(
      names = "--trace",
      paramLabel = "FILE.safetensors",
      description = "Look at a trace, as 'sinkq replay' reads it, instead of a model.")
  private Path traceFile;

  @Mixin private KvOptions kv;
  @Mixin private EngineOptions engine;
  @Mixin private ReportOptions report;

  AnalyzeCommand(Environment environment, ModelStore models) {
    this.environment = environment;
    this.models = models;
  }

  @Override
  public void run() {
    KvSettings settings = kv.settings();
    if (settings.pool() == 0) {
      throw usage(
          "--kv=" + settings.preset() + " without sinks, expected a cache with --pool 1 or more");
    }
    engine.check();
    text.check();
    if (traceFile != null && (text.isGiven() || modelFile.isGiven())) {
      throw usage("--trace=" + traceFile + " with a model or a text, expected only one of them");
    }
    report.check();
    report.print(traceFile == null ? ofModel(settings) : ofTrace(settings));
  }

  private ParameterException usage(String message) {
    return new ParameterException(spec.commandLine(), message);
  }

  private Progress progress() {
    return new Progress(spec.commandLine().getErr(), environment.errIsTerminal());
  }

  private AnalyzeReport ofModel(KvSettings settings) {
    String content = text.read();
    try (Progress progress = progress();
        LanguageModel model =
            LanguageModel.open(modelFile.file(models, progress), engine.threads())) {
      Tokenizer tokenizer = Tokenizer.of(model.file());
      TextOptions.Source source = text.tokens(model, tokenizer, content, engine, progress);
      int[] tokens = text.whole(source, model.info().contextLength());
      Caches caches =
          new Caches(model.attentionShape(), settings, tokens.length, KvSettings.FIRST_SINK_LAYER);
      int exact = caches.exactTokens();
      source.require(exact + 1 - source.prefix().length, exact);
      List<HeadSurvey> heads =
          caches
              .analysis()
              .run(model, tokens, new Countdown(progress, "looking at keys", tokens.length));
      return new AnalyzeReport(
          model.info().name(), settings, heads, position -> tokenizer.piece(tokens[position]));
    }
  }

  private AnalyzeReport ofTrace(KvSettings settings) {
    try (Trace trace = Trace.open(traceFile);
        Progress progress = progress()) {
      Caches caches = new Caches(trace.shape(), settings, trace.tokens(), 0);
      int exact = caches.exactTokens();
      new TextOptions.Source(new int[trace.tokens()], new int[0], traceFile.toString())
          .require(exact + 1, exact);
      Countdown countdown = new Countdown(progress, "looking at keys", trace.tokens());
      IntFunction<String> names = position -> "";
      return new AnalyzeReport(
          traceFile.toString(), settings, caches.analysis().run(trace, countdown), names);
    }
  }

  /** The three caches for so many tokens. */
  private final class Caches {
    private final ModelShape shape;
    private final KvSettings settings;
    private final int tokens;
    private final int firstSinkLayer;

    Caches(ModelShape shape, KvSettings settings, int tokens, int firstSinkLayer) {
      this.shape = shape;
      this.settings = settings;
      this.tokens = tokens;
      this.firstSinkLayer = firstSinkLayer;
    }

    private Contender cache(KvSettings format) {
      return new Contender("", engine.config(shape, format.spec(tokens, firstSinkLayer)));
    }

    int exactTokens() {
      return cache(settings).exactTokens();
    }

    Analysis analysis() {
      KvSettings without =
          KvSettings.of(settings.preset(), settings.page(), settings.window(), 0, null);
      KvSettings dense = KvSettings.of(KvPreset.FP16, settings.page(), null, null, null);
      return new Analysis(cache(dense).config(), cache(settings).config(), cache(without).config());
    }
  }
}
