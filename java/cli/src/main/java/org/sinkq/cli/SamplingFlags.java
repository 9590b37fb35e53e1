package org.sinkq.cli;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.sinkq.InvalidArgumentException;
import org.sinkq.llm.generate.GenerationOptions;
import org.sinkq.llm.generate.SamplingOptions;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** How much to generate, and how each token is chosen. */
final class SamplingFlags {
  private static final Pattern NAME = Pattern.compile("^(\\w+)=");

  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Option(
      names = "--max-tokens",
      paramLabel = "N",
      defaultValue = "200",
      description = "Generate at most N tokens (default: ${DEFAULT-VALUE}).")
  private int maxTokens;

  @Option(
      names = "--temperature",
      paramLabel = "X",
      defaultValue = "0.7",
      description = "0 takes the most probable token each time (default: ${DEFAULT-VALUE}).")
  private double temperature;

  @Option(
      names = "--top-k",
      paramLabel = "N",
      defaultValue = "0",
      description = "Choose among the N most probable tokens (default: 0, all).")
  private int topK;

  @Option(
      names = "--top-p",
      paramLabel = "X",
      defaultValue = "0.95",
      description =
          "Choose among the most probable tokens that together have probability X (default:"
              + " ${DEFAULT-VALUE}).")
  private double topP;

  @Option(
      names = "--min-p",
      paramLabel = "X",
      defaultValue = "0",
      description = "Drop tokens less probable than X times the most probable (default: 0, none).")
  private double minP;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "1",
      description = "The same seed gives the same text (default: ${DEFAULT-VALUE}).")
  private long seed;

  @Option(
      names = "--ignore-eos",
      description = "Go on when the model ends its text, for measurements of a fixed length.")
  private boolean ignoreEos;

  int maxTokens() {
    return maxTokens;
  }

  /** Checks the options; the library's parameters have the options' names but for their case. */
  GenerationOptions options() {
    try {
      SamplingOptions sampling = new SamplingOptions(temperature, topK, topP, minP, seed);
      GenerationOptions options = GenerationOptions.of(maxTokens, sampling);
      return ignoreEos ? options.ignoringEndOfGeneration() : options;
    } catch (InvalidArgumentException e) {
      throw new ParameterException(spec.commandLine(), toOption(e.getMessage()), e);
    }
  }

  private static String toOption(String message) {
    Matcher name = NAME.matcher(message);
    if (!name.find()) {
      return message;
    }
    String dashed = name.group(1).replaceAll("([A-Z])", "-$1").toLowerCase(Locale.ROOT);
    return "--" + dashed + message.substring(name.end() - 1);
  }
}
