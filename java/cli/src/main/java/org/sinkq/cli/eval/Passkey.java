package org.sinkq.cli.eval;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.IntConsumer;
import org.sinkq.llm.text.Tokenizer;

/**
 * Passkey retrieval (Mohtashami and Jaggi, arXiv 2305.16300): a number hidden in a long dull text,
 * asked for at its end.
 *
 * <p>The answer is fed as well, and counts as found if each of its tokens is the most probable one
 * after those before it: just then greedy decoding would write it. So a trial is one window.
 */
public final class Passkey {
  private static final String TASK =
      "There is a pass key hidden in the text below. Find it and remember it.\n";
  private static final String FILLER =
      " The river runs down to the sea. The wind is in the trees. The road goes over the hill."
          + " We walk, and rest, and walk again.";
  private static final int DIGITS = 5;

  private final Tokenizer tokenizer;
  private final int[] prefix;

  /**
   * One cell of the grid.
   *
   * @param length tokens of a window, the answer included
   * @param depth percent of the filler that comes before the pass key
   */
  public record Cell(int length, int depth) {}

  /**
   * What came of the grid.
   *
   * @param found [contenders][cells] part of the trials in which the key was found
   * @param loss [contenders][cells] negative logarithm of the answer's probability in nats, mean
   *     over the trials: where a model is unsure even with an exact cache, whether it finds a key
   *     is a matter of chance, and this tells more
   */
  public record Result(double[][] found, double[][] loss) {}

  /** Trials for a tokenizer; {@code prefix} begins every window. */
  public Passkey(Tokenizer tokenizer, int[] prefix) {
    this.tokenizer = tokenizer;
    this.prefix = prefix;
  }

  /** Tokens that a window needs besides the filler, at most. */
  public int overhead() {
    return prefix.length + parts(99_999).stream().mapToInt(part -> part.length).sum();
  }

  private List<int[]> parts(int key) {
    return List.of(
        tokenizer.encode(TASK, false),
        tokenizer.encode(" The pass key is " + key + ". Remember it: " + key + ".", false),
        tokenizer.encode("\nWhat is the pass key? The pass key is", false),
        tokenizer.encode(" " + key, false));
  }

  /** The window of one trial; the answer is what counts in it. */
  Window window(Cell cell, long seed) {
    int low = (int) Math.pow(10, DIGITS - 1);
    int key = new SplittableRandom(seed).nextInt(low, 10 * low);
    List<int[]> parts = parts(key);
    int[] filler = tokenizer.encode(FILLER, false);
    int room = cell.length - prefix.length - parts.stream().mapToInt(part -> part.length).sum();
    int before = (int) ((long) room * cell.depth / 100);
    int[] tokens = new int[cell.length];
    int at = put(tokens, 0, prefix, prefix.length);
    at = put(tokens, at, parts.get(0), parts.get(0).length);
    at = put(tokens, at, filler, before);
    at = put(tokens, at, parts.get(1), parts.get(1).length);
    at = put(tokens, at, filler, room - before);
    at = put(tokens, at, parts.get(2), parts.get(2).length);
    int answer = at;
    at = put(tokens, at, parts.get(3), parts.get(3).length);
    assert at == tokens.length;
    return new Window(tokens, answer);
  }

  private static int put(int[] to, int at, int[] repeated, int count) {
    for (int i = 0; i < count; i++) {
      to[at + i] = repeated[i % repeated.length];
    }
    return at + count;
  }

  /**
   * Runs the grid.
   *
   * @param trials of each cell, each with another key
   * @param progress receives the tokens fed so far
   */
  public Result run(
      Comparison comparison, List<Cell> cells, int trials, long seed, IntConsumer progress) {
    int contenders = comparison.contenders().size();
    Result result =
        new Result(new double[contenders][cells.size()], new double[contenders][cells.size()]);
    int before = 0;
    for (int cell = 0; cell < cells.size(); cell++) {
      for (int trial = 0; trial < trials; trial++) {
        Window window = window(cells.get(cell), seed + trial);
        int fed = before;
        boolean[] missed = new boolean[contenders];
        double[] loss = new double[contenders];
        comparison.run(
            window,
            (first, targets, logits) -> {
              for (int row = 0; row < logits.length; row++) {
                int wanted = window.tokens()[first + row % targets];
                missed[row / targets] |= Distribution.argMax(logits[row]) != wanted;
                loss[row / targets] += Distribution.logSumExp(logits[row]) - logits[row][wanted];
              }
            },
            done -> progress.accept(fed + done));
        before += window.tokens().length - 1;
        for (int c = 0; c < contenders; c++) {
          result.found[c][cell] += missed[c] ? 0 : 1.0 / trials;
          result.loss[c][cell] += loss[c] / trials;
        }
      }
    }
    return result;
  }

  /** The grid of all lengths and depths, length by length. */
  public static List<Cell> grid(List<Integer> lengths, List<Integer> depths) {
    List<Cell> cells = new ArrayList<>();
    lengths.forEach(length -> depths.forEach(depth -> cells.add(new Cell(length, depth))));
    return List.copyOf(cells);
  }
}
