package org.sinkq.cli;

import java.util.List;
import java.util.Locale;
import org.sinkq.cli.eval.Window;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** How a text is cut into windows. */
final class WindowOptions {
  private static final int DEFAULT_CONTEXT = 4096;

  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

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

  /** Refuses numbers that can never work. */
  void check() {
    require(context == null || context > 1, "--context=%d, expected 2 or more", context);
    require(stride == null || stride > 0, "--stride=%d, expected 1 or more", stride);
  }

  private void require(boolean condition, String format, Object... values) {
    if (!condition) {
      throw new ParameterException(spec.commandLine(), String.format(Locale.ROOT, format, values));
    }
  }

  /** Tokens of a window. */
  int context(TextOptions.Source source, int modelContext) {
    require(
        context == null || context <= modelContext,
        "--context=%d, expected 2 to the model's context of %d",
        context,
        modelContext);
    int most = Math.min(DEFAULT_CONTEXT, modelContext);
    return context == null
        ? Math.min(most, source.tokens().length + source.prefix().length)
        : context;
  }

  /**
   * Cuts the text.
   *
   * @param exact most tokens that a cache keeps in full precision
   * @throws CommandException if no prediction would be made from a quantized cache
   */
  List<Window> windows(TextOptions.Source source, int modelContext, int exact) {
    int prefix = source.prefix().length;
    // A query behind the exact tokens, and the token that it predicts.
    int needed = exact + 2;
    source.require(needed - prefix, exact);
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
        source.tokens(), source.prefix(), length, stride == null ? length - prefix : stride);
  }
}
