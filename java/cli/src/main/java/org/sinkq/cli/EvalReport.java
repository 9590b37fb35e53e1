package org.sinkq.cli;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;
import org.sinkq.cli.eval.Comparison;
import org.sinkq.cli.eval.Contender;
import org.sinkq.cli.eval.Passkey;
import org.sinkq.cli.eval.TokenScores;
import org.sinkq.cli.eval.Window;
import org.sinkq.cli.report.Chart;
import org.sinkq.cli.report.HeatMap;
import org.sinkq.cli.report.Page;
import org.sinkq.llm.ModelInfo;

/**
 * The result of an evaluation as a table, as JSON and as a page.
 *
 * @param textTokens tokens of the text
 * @param needles which numbers were found
 */
record EvalReport(
    ModelInfo model,
    int textTokens,
    List<Window> windows,
    List<KvList.Named> kinds,
    List<Contender> contenders,
    List<Comparison.Size> sizes,
    List<TokenScores> scores,
    List<Passkey.Cell> cells,
    Passkey.Result needles,
    double seconds)
    implements ReportOptions.Report {
  private static final double TAIL = 0.99;
  private static final int BINS = 32;
  private static final List<String> HEAD =
      List.of("kv", "bits", "ppl", "vs fp16", "mean KL", "p99 KL", "top-1");

  private int context() {
    return windows.stream().mapToInt(w -> w.tokens().length).max().orElse(0);
  }

  private double increase(int c) {
    return scores.get(c).perplexity() / scores.getFirst().perplexity() - 1;
  }

  /** Predictions that read codes. */
  private int fromCodes(int c) {
    Contender contender = contenders.get(c);
    return contender.isQuantized() ? scores.get(c).countFrom(contender.exactTokens() + 1) : 0;
  }

  private List<List<String>> rows() {
    List<List<String>> rows = new ArrayList<>();
    for (int c = 0; c < contenders.size(); c++) {
      TokenScores s = scores.get(c);
      rows.add(
          List.of(
              contenders.get(c).name(),
              format("%.2f", sizes.get(c).bitsPerElement()),
              format("%.4f", s.perplexity()),
              format("%+.2f %%", 100 * increase(c)),
              format("%.5f", s.meanDivergence()),
              format("%.4f", s.divergence(TAIL)),
              format("%.2f %%", 100 * s.agreement())));
    }
    return rows;
  }

  private String setting() {
    return format(
        "%s, %d tokens, %d predicted in %s of up to %d; engine %s; %.0f s",
        model.name(),
        textTokens,
        scores.getFirst().count(),
        Text.count(windows.size(), "window"),
        context(),
        sizes.getFirst().engine(),
        seconds);
  }

  /** For the terminal. */
  @Override
  public String table() {
    List<List<String>> all = new ArrayList<>(List.of(HEAD));
    all.addAll(rows());
    StringBuilder text = new StringBuilder(setting()).append(System.lineSeparator());
    text.append(System.lineSeparator()).append(Text.table(all));
    if (!cells.isEmpty()) {
      List<List<String>> grid = new ArrayList<>();
      grid.add(needleHead());
      for (int c = 0; c < contenders.size(); c++) {
        for (int length : lengths()) {
          List<String> row = new ArrayList<>(List.of(contenders.get(c).name(), length + ""));
          double[] losses = ofLength(needles.loss()[c], length);
          double[] parts = ofLength(needles.found()[c], length);
          for (int i = 0; i < parts.length; i++) {
            row.add(format("%.0f %%, %.2f", 100 * parts[i], losses[i]));
          }
          grid.add(row);
        }
      }
      text.append(System.lineSeparator()).append(Text.table(grid));
    }
    return text.toString();
  }

  private List<String> needleHead() {
    List<String> head = new ArrayList<>(List.of("found, nats", "tokens"));
    depths().forEach(depth -> head.add("at " + depth + " %"));
    return head;
  }

  private List<Integer> lengths() {
    return cells.stream().map(Passkey.Cell::length).distinct().toList();
  }

  private List<Integer> depths() {
    return cells.stream().map(Passkey.Cell::depth).distinct().toList();
  }

  private double[] ofLength(double[] values, int length) {
    return IntStream.range(0, cells.size())
        .filter(i -> cells.get(i).length() == length)
        .mapToDouble(i -> values[i])
        .toArray();
  }

  /** For programs. */
  @Override
  public Map<String, Object> json() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("model", model.name());
    json.put("textTokens", textTokens);
    json.put("predictedTokens", scores.getFirst().count());
    json.put("windows", windows.size());
    json.put("context", context());
    json.put("engine", sizes.getFirst().engine());
    json.put("seconds", Json.round(seconds, 1));
    List<Map<String, Object>> settings = new ArrayList<>();
    for (int c = 0; c < contenders.size(); c++) {
      TokenScores s = scores.get(c);
      Map<String, Object> entry = new LinkedHashMap<>();
      entry.put("kv", contenders.get(c).name());
      entry.put("format", kinds.get(c).settings().describe());
      entry.put("bitsPerElement", Json.round(sizes.get(c).bitsPerElement(), 4));
      entry.put("denseBytes", sizes.get(c).denseBytes());
      entry.put("predictedFromCodes", fromCodes(c));
      entry.put("perplexity", Json.round(s.perplexity(), 6));
      entry.put("perplexityIncrease", Json.round(increase(c), 6));
      entry.put("meanKl", Json.round(s.meanDivergence(), 8));
      entry.put("p99Kl", Json.round(s.divergence(TAIL), 6));
      entry.put("top1Agreement", Json.round(s.agreement(), 6));
      if (!cells.isEmpty()) {
        entry.put("passkey", passkey(c));
      }
      settings.add(entry);
    }
    json.put("settings", settings);
    return json;
  }

  private List<Map<String, Object>> passkey(int contender) {
    List<Map<String, Object>> all = new ArrayList<>();
    for (int i = 0; i < cells.size(); i++) {
      Map<String, Object> cell = new LinkedHashMap<>();
      cell.put("tokens", cells.get(i).length());
      cell.put("depth", cells.get(i).depth());
      cell.put("found", Json.round(needles.found()[contender][i], 4));
      cell.put("loss", Json.round(needles.loss()[contender][i], 4));
      all.add(cell);
    }
    return all;
  }

  /** For people, with pictures. */
  @Override
  public String html() {
    Page page = new Page("Cache evaluation: " + model.name());
    page.text(setting()).table(HEAD, rows());
    page.text(
        "bits: of a page, per element, everything counted; the rows in full precision (window, pool,"
            + " spill) come on top. KL: divergence of the next-token distribution from the fp16"
            + " cache's, in nats. top-1: part of the predictions whose most probable token is the"
            + " fp16 cache's.");
    Chart bits = new Chart("bits per element", "perplexity", false);
    Chart positions = new Chart("position in the window", "mean KL to fp16", true);
    int width = Math.max(1, (context() + BINS - 1) / BINS);
    for (int c = 0; c < contenders.size(); c++) {
      String name = contenders.get(c).name();
      bits.point(name, sizes.get(c).bitsPerElement(), scores.get(c).perplexity());
      if (c > 0) {
        double[] kl = scores.get(c).divergenceByPosition(width);
        double[] x = new double[kl.length];
        Arrays.setAll(x, i -> (i + 0.5) * width);
        positions.line(name, x, kl);
      }
    }
    page.section("Perplexity and size").figure("Lower left is better.", bits.svg());
    page.section("Divergence along the text")
        .figure("Means over " + width + " positions; logarithmic.", positions.svg());
    if (!cells.isEmpty()) {
      page.section("Pass keys found");
      for (int c = 0; c < contenders.size(); c++) {
        page.figure(contenders.get(c).name(), needleMap(c));
      }
    }
    List<List<String>> formats = new ArrayList<>();
    for (int c = 0; c < contenders.size(); c++) {
      formats.add(
          List.of(
              contenders.get(c).name(),
              kinds.get(c).settings().describe(),
              Text.bytes(sizes.get(c).denseBytes()),
              "" + fromCodes(c)));
    }
    page.section("Caches")
        .table(List.of("kv", "format", "dense rows", "predictions from codes"), formats);
    return page.html();
  }

  private String needleMap(int contender) {
    double[][] values =
        lengths().stream()
            .map(length -> ofLength(needles.found()[contender], length))
            .toArray(double[][]::new);
    return new HeatMap(
            lengths().stream().map(n -> n + "").toList(),
            depths().stream().map(d -> d + " %").toList(),
            values,
            0,
            1)
        .svg();
  }

  private static String format(String pattern, Object... values) {
    return String.format(Locale.ROOT, pattern, values);
  }
}
