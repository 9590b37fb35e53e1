package org.sinkq.cli;

import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.sinkq.cli.eval.Comparison;
import org.sinkq.cli.eval.Passkey;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Passkey retrieval: whether, over which grid, how often. */
final class NeedleOptions {
  private static final int SHORTEST = 512;

  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Option(
      names = "--needle",
      description = "Also let each cache find a number hidden in a long text.")
  private boolean wanted;

  @Option(
      names = "--needle-lengths",
      paramLabel = "N",
      split = ",",
      description = "Tokens of these texts (default: 512, 1024 and so on up to --context).")
  private List<Integer> lengths = List.of();

  @Option(
      names = "--needle-depths",
      paramLabel = "PERCENT",
      split = ",",
      defaultValue = "0,25,50,75,100",
      description = "Where the number is hidden (default: ${DEFAULT-VALUE}).")
  private List<Integer> depths;

  @Option(
      names = "--needle-trials",
      paramLabel = "N",
      defaultValue = "1",
      description = "Numbers to hide at each length and depth (default: ${DEFAULT-VALUE}).")
  private int trials;

  @Option(
      names = "--needle-seed",
      paramLabel = "N",
      defaultValue = "1",
      description =
          "Of the first of these numbers, each trial has the next (default: ${DEFAULT-VALUE}).")
  private long seed;

  void check() {
    for (int depth : depths) {
      require(depth >= 0 && depth <= 100, "--needle-depths=%d, expected 0 to 100", depth);
    }
    require(trials > 0, "--needle-trials=%d, expected 1 or more", trials);
  }

  private void require(boolean condition, String format, Object... values) {
    if (!condition) {
      throw new ParameterException(spec.commandLine(), String.format(Locale.ROOT, format, values));
    }
  }

  /**
   * The grid, empty unless it is wanted.
   *
   * @param overhead tokens of a text that are not filler
   * @param context of the windows
   */
  List<Passkey.Cell> cells(int overhead, int context) {
    if (!wanted) {
      return List.of();
    }
    for (int length : lengths) {
      require(
          length >= overhead && length <= context,
          "--needle-lengths=%d, expected %d to --context, %d",
          length,
          overhead,
          context);
    }
    List<Integer> all =
        lengths.isEmpty()
            ? IntStream.iterate(SHORTEST, n -> n <= context, n -> 2 * n).boxed().toList()
            : lengths;
    require(!all.isEmpty(), "--context=%d with --needle, expected %d or more", context, SHORTEST);
    return Passkey.grid(all, depths);
  }

  /** Tokens that a cache must hold. */
  int longest(List<Passkey.Cell> cells) {
    return cells.stream().mapToInt(Passkey.Cell::length).max().orElse(0);
  }

  Passkey.Result run(
      Passkey passkey, Comparison comparison, List<Passkey.Cell> cells, Progress progress) {
    int tokens = trials * cells.stream().mapToInt(cell -> cell.length() - 1).sum();
    return passkey.run(
        comparison, cells, trials, seed, new Countdown(progress, "hiding numbers", tokens));
  }
}
