package org.sinkq.cli;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.cli.eval.Window;
import org.sinkq.llm.LanguageModel;
import org.sinkq.llm.generate.GenerationListener;
import org.sinkq.llm.generate.GenerationOptions;
import org.sinkq.llm.generate.SamplingOptions;
import org.sinkq.llm.generate.TextGenerator;
import org.sinkq.llm.text.Tokenizer;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The text that predictions are measured on. */
final class EvalText {
  private static final int DEFAULT_CONTEXT = 4096;
  private static final int DEFAULT_TOKENS = 4096;
  private static final int DEFAULT_SAMPLED = 1024;

  /** Of the sampled text: what the generate command writes with. */
  private static final double TEMPERATURE = 0.7;

  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Option(
      names = "--text",
      paramLabel = "FILE",
      description = "UTF-8 text to predict (default: one that the model itself writes).")
  private Path file;

  @Option(
      names = "--tokens",
      paramLabel = "N",
      description =
          "Tokens of the text to use, from its beginning (default: 4096 or all there are; without"
              + " --text 1024).")
  private Integer tokens;

  @Option(
      names = "--context",
      paramLabel = "N",
      description = "Tokens of a window, which begins with an empty cache (default: 4096 at most).")
  private Integer context;

  @Option(
      names = "--stride",
      paramLabel = "N",
      description =
          "Tokens from one window to the next (default: the whole window). Every token is predicted"
              + " once, in the first window that has it.")
  private Integer stride;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "1",
      description = "Of the text without --text (default: ${DEFAULT-VALUE}).")
  private long seed;

  /**
   * Tokens to predict.
   *
   * @param prefix what begins every window and is not predicted
   * @param name of the text, for messages
   */
  record Source(int[] tokens, int[] prefix, String name) {}

  /** Refuses numbers that can never work. */
  void check() {
    require(tokens == null || tokens > 1, "--tokens=%d, expected 2 or more", tokens);
    require(context == null || context > 1, "--context=%d, expected 2 or more", context);
    require(stride == null || stride > 0, "--stride=%d, expected 1 or more", stride);
  }

  private void require(boolean condition, String format, Object... values) {
    if (!condition) {
      throw new ParameterException(spec.commandLine(), String.format(Locale.ROOT, format, values));
    }
  }

  /** The content of {@code --text}, or null. */
  String read() {
    return file == null ? null : TextFile.read(file.toString(), "the text");
  }

  /** Takes the first tokens of a text, or lets the model write one. */
  Source tokens(
      LanguageModel model,
      Tokenizer tokenizer,
      String content,
      EngineOptions engine,
      Progress progress) {
    int[] prefix = tokenizer.encode("", true);
    if (content == null) {
      int count = tokens == null ? DEFAULT_SAMPLED : tokens;
      int limit = model.info().contextLength() - prefix.length;
      require(
          count <= limit,
          "--tokens=%d without --text, expected 2 to %d: the model writes one context at most",
          count,
          limit);
      return new Source(
          sample(model, tokenizer, count, engine, progress), prefix, "the sampled text");
    }
    int[] all = tokenizer.encode(content, false);
    if (tokens != null && all.length < tokens) {
      throw new CommandException(
          String.format(
              Locale.ROOT,
              "%s: has %d tokens, expected at least --tokens=%d",
              file,
              all.length,
              tokens));
    }
    int count = Math.min(all.length, tokens == null ? DEFAULT_TOKENS : tokens);
    return new Source(Arrays.copyOf(all, count), prefix, file.toString());
  }

  private int[] sample(
      LanguageModel model,
      Tokenizer tokenizer,
      int count,
      EngineOptions engine,
      Progress progress) {
    int[] begin = tokenizer.encode("", true);
    int[] prompt = begin.length > 0 ? begin : tokenizer.encode("The", false);
    KvSettings dense = KvList.REFERENCE.settings();
    try (AttentionBackend backend =
        AttentionBackends.open(
            engine.config(
                model.attentionShape(),
                dense.spec(prompt.length + count, KvSettings.FIRST_SINK_LAYER)))) {
      Countdown countdown = new Countdown(progress, "sampling a text", count);
      GenerationListener listener =
          new GenerationListener() {
            private int done;

            @Override
            public boolean isStopRequested() {
              countdown.accept(Math.min(count, done++));
              return false;
            }
          };
      GenerationOptions options =
          GenerationOptions.of(count, SamplingOptions.of(TEMPERATURE, seed))
              .ignoringEndOfGeneration();
      return new TextGenerator(model, tokenizer, backend)
          .generate(prompt, options, listener)
          .tokens();
    }
  }

  /** Tokens of a window. */
  int context(Source source, int modelContext) {
    require(
        context == null || context <= modelContext,
        "--context=%d, expected 2 to the model's context of %d",
        context,
        modelContext);
    int most = Math.min(DEFAULT_CONTEXT, modelContext);
    return context == null ? Math.min(most, source.tokens.length + source.prefix.length) : context;
  }

  /**
   * Cuts the text.
   *
   * @param exact most tokens that a cache keeps in full precision
   * @throws CommandException if no prediction would be made from a quantized cache
   */
  List<Window> windows(Source source, int modelContext, int exact) {
    int prefix = source.prefix.length;
    // A query behind the exact tokens, and the token that it predicts.
    int needed = exact + 2;
    if (source.tokens.length < needed - prefix) {
      throw new CommandException(
          String.format(
              Locale.ROOT,
              "%s: %s used, expected at least %d: the caches keep up to %d in full precision",
              source.name,
              Text.count(source.tokens.length, "token"),
              needed - prefix,
              exact));
    }
    int length = context(source, modelContext);
    require(
        length >= needed,
        "--context=%d, expected %d to %d: the caches keep up to %d tokens in full precision",
        length,
        needed,
        modelContext,
        exact);
    require(
        stride == null || stride <= length - prefix,
        "--stride=%d, expected 1 to the %d tokens of a window",
        stride,
        length - prefix);
    return Window.cut(
        source.tokens, source.prefix, length, stride == null ? length - prefix : stride);
  }
}
