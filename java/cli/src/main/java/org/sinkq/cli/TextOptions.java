package org.sinkq.cli;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
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

/** The text that a command measures on. */
final class TextOptions {
  private static final int DEFAULT_TOKENS = 4096;
  private static final int DEFAULT_SAMPLED = 1024;

  /** Of the sampled text: what the generate command writes with. */
  private static final double TEMPERATURE = 0.7;

  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Option(
      names = "--text",
      paramLabel = "FILE",
      description = "UTF-8 text (default: one that the model itself writes).")
  private Path file;

  @Option(
      names = "--tokens",
      paramLabel = "N",
      description =
          "Tokens of the text to use, from its beginning (default: 4096 or all there are; without"
              + " --text 1024).")
  private Integer tokens;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "1",
      description = "Of the text without --text (default: ${DEFAULT-VALUE}).")
  private long seed;

  /**
   * Tokens of a text.
   *
   * @param prefix what the model wants at the beginning of each text, or nothing
   * @param name of the text, for messages
   */
  record Source(int[] tokens, int[] prefix, String name) {
    /**
     * Refuses a text of which nothing would be read from codes.
     *
     * @param exact tokens that a cache keeps in full precision
     */
    void require(int needed, int exact) {
      if (tokens.length < needed) {
        throw new CommandException(
            String.format(
                Locale.ROOT,
                "%s: %s used, expected at least %d: the caches keep up to %d in full precision",
                name,
                Text.count(tokens.length, "token"),
                needed,
                exact));
      }
    }
  }

  /** Refuses numbers that can never work. */
  void check() {
    require(tokens == null || tokens > 1, "--tokens=%d, expected 2 or more", tokens);
  }

  private void require(boolean condition, String format, Object... values) {
    if (!condition) {
      throw new ParameterException(spec.commandLine(), String.format(Locale.ROOT, format, values));
    }
  }

  /** Whether there is a text of the user's, or a length. */
  boolean isGiven() {
    return file != null || tokens != null;
  }

  /**
   * The tokens as one text, its prefix included; cut to a model's context unless the user wants
   * more.
   */
  int[] whole(Source source, int modelContext) {
    int prefix = source.prefix.length;
    require(
        tokens == null || source.tokens.length <= modelContext - prefix,
        "--tokens=%d, expected 2 to %d: what the model's context holds",
        tokens,
        modelContext - prefix);
    int count = Math.min(source.tokens.length, modelContext - prefix);
    int[] all = Arrays.copyOf(source.prefix, prefix + count);
    System.arraycopy(source.tokens, 0, all, prefix, count);
    return all;
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
}
