package org.sinkq.cli;

import java.io.PrintWriter;
import java.util.List;
import org.sinkq.cli.eval.Comparison;
import org.sinkq.cli.eval.Contender;
import org.sinkq.cli.eval.Passkey;
import org.sinkq.cli.eval.Scoring;
import org.sinkq.cli.eval.TokenScores;
import org.sinkq.cli.eval.Window;
import org.sinkq.cli.models.ModelStore;
import org.sinkq.llm.LanguageModel;
import org.sinkq.llm.text.Tokenizer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Measures what caches do to a model's predictions. */
@Command(
    name = "eval",
    description = {
      "Compare caches by what they do to a model's predictions of a text.",
      "",
      "Every token is predicted just as in decoding token by token: from the quantized cache as soon"
          + " as it is further back than the window. bits counts a page all-in (codes, scales,"
          + " minima, slot masks), per element; ppl is the perplexity; KL is the divergence of the"
          + " next-token distribution from that of the fp16 cache, in nats; top-1 is how often"
          + " both hold the same token for the most probable.",
      ""
    },
    footer = {
      "  sinkq eval --text book.txt --tokens 16384",
      "  sinkq eval --text book.txt --kv int4,kivi2,kivi2-g32,sinkq2 --context 4096 --report eval.html",
      "  sinkq eval --needle --kv sinkq2 --json"
    })
final class EvalCommand implements Runnable {
  private final Environment environment;
  private final ModelStore models;

  @Spec private CommandSpec spec;
  @Mixin private ModelOption modelFile;
  @Mixin private TextOptions text;
  @Mixin private WindowOptions window;
  @Mixin private KvList kv;
  @Mixin private NeedleOptions needle;
  @Mixin private EngineOptions engine;
  @Mixin private ReportOptions report;

  EvalCommand(Environment environment, ModelStore models) {
    this.environment = environment;
    this.models = models;
  }

  @Override
  public void run() {
    List<KvList.Named> kinds = kv.kinds();
    engine.check();
    text.check();
    window.check();
    needle.check();
    report.check();
    report.print(evaluate(kinds, text.read()));
  }

  private EvalReport evaluate(List<KvList.Named> kinds, String content) {
    PrintWriter err = spec.commandLine().getErr();
    try (Progress progress = new Progress(err, environment.errIsTerminal());
        LanguageModel model =
            LanguageModel.open(modelFile.file(models, progress), engine.threads())) {
      Tokenizer tokenizer = Tokenizer.of(model.file());
      TextOptions.Source source = text.tokens(model, tokenizer, content, engine, progress);
      int modelContext = model.info().contextLength();
      int exact =
          kinds.stream().mapToInt(k -> contender(model, k, 1).exactTokens()).max().orElse(0);
      List<Window> windows = window.windows(source, modelContext, exact);
      Passkey passkey = new Passkey(tokenizer, source.prefix());
      List<Passkey.Cell> cells =
          needle.cells(passkey.overhead(), window.context(source, modelContext));
      int longest = windows.stream().mapToInt(w -> w.tokens().length).max().orElse(0);
      int capacity = Math.max(longest, needle.longest(cells));
      List<Contender> contenders =
          kinds.stream().map(kind -> contender(model, kind, capacity)).toList();
      try (Comparison comparison = new Comparison(model, contenders)) {
        List<Comparison.Size> sizes = comparison.sizes();
        int tokens = windows.stream().mapToInt(w -> w.tokens().length - 1).sum();
        long begin = System.nanoTime();
        Countdown countdown = new Countdown(progress, "evaluating", tokens);
        List<TokenScores> scores = Scoring.run(comparison, windows, engine.threads(), countdown);
        Passkey.Result needles = needle.run(passkey, comparison, cells, progress);
        double seconds = (System.nanoTime() - begin) * 1e-9;
        return new EvalReport(
            model.info(),
            source.tokens().length,
            windows,
            kinds,
            contenders,
            sizes,
            scores,
            cells,
            needles,
            seconds);
      }
    }
  }

  private Contender contender(LanguageModel model, KvList.Named kind, int capacity) {
    return new Contender(
        kind.name(),
        engine.config(
            model.attentionShape(), kind.settings().spec(capacity, KvSettings.FIRST_SINK_LAYER)));
  }
}
