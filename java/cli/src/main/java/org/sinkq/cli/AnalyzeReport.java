package org.sinkq.cli;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.IntFunction;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.sinkq.cli.analyze.HeadSurvey;
import org.sinkq.cli.report.Chart;
import org.sinkq.cli.report.HeatMap;
import org.sinkq.cli.report.Page;

/**
 * What an analysis found, as a table, as JSON and as a page.
 *
 * @param source model or trace
 * @param heads layer by layer
 * @param tokenAt text of the token at a position; empty for a trace
 */
record AnalyzeReport(
    String source, KvSettings settings, List<HeadSurvey> heads, IntFunction<String> tokenAt)
    implements ReportOptions.Report {
  /** Columns of the map of norms; more would be finer than a screen. */
  private static final int MAP_COLUMNS = 128;

  /** Ranks that a cliff plot shows: behind them the norms differ little. */
  private static final int CLIFF_RANKS = 48;

  private static final int CLIFF_LAYERS = 6;
  private static final int TABLE_SINKS = 12;
  private static final List<String> HEAD =
      List.of("layer", "least norm", "outliers", "sinks", "error", "without");

  /** A token that at least one head keeps. */
  private record Kept(int position, int heads, int since) {}

  private int tokens() {
    return heads.getFirst().norms().length;
  }

  private int layers() {
    return heads.getLast().layer() + 1;
  }

  private List<HeadSurvey> layer(int layer) {
    return heads.stream().filter(head -> head.layer() == layer).toList();
  }

  private static double mean(List<HeadSurvey> heads, ToDoubleFunction<HeadSurvey> value) {
    return heads.stream().mapToDouble(value).average().orElse(0);
  }

  private static double leastNorm(HeadSurvey head) {
    return head.sortedNorms()[0] / head.medianNorm();
  }

  private List<List<String>> rows() {
    List<List<String>> rows = new ArrayList<>();
    for (int l = 0; l < layers(); l++) {
      List<HeadSurvey> layer = layer(l);
      rows.add(
          List.of(
              "" + l,
              format("%.2f", layer.stream().mapToDouble(AnalyzeReport::leastNorm).min().orElse(0)),
              "" + layer.stream().mapToInt(h -> h.outlierChannels().length).sum(),
              "" + layer.stream().mapToInt(h -> h.sinks().size()).sum(),
              format("%.4f", mean(layer, HeadSurvey::error)),
              format("%.4f", mean(layer, HeadSurvey::errorWithout))));
    }
    rows.add(
        List.of(
            "mean",
            format("%.2f", mean(heads, AnalyzeReport::leastNorm)),
            format("%.1f", mean(heads, h -> h.outlierChannels().length) * heads.size() / layers()),
            format("%.1f", mean(heads, h -> h.sinks().size()) * heads.size() / layers()),
            format("%.4f", mean(heads, HeadSurvey::error)),
            format("%.4f", mean(heads, HeadSurvey::errorWithout))));
    return rows;
  }

  /** Tokens by the number of heads that keep them. */
  private List<Kept> kept() {
    Map<Integer, Kept> kept = new TreeMap<>();
    for (HeadSurvey head : heads) {
      for (HeadSurvey.Sink sink : head.sinks()) {
        kept.merge(
            sink.position(),
            new Kept(sink.position(), 1, sink.since()),
            (a, b) -> new Kept(a.position, a.heads + 1, Math.min(a.since, b.since)));
      }
    }
    return kept.values().stream().sorted(Comparator.comparingInt(k -> -k.heads)).toList();
  }

  private List<List<String>> keptRows(int limit) {
    return kept().stream()
        .limit(limit)
        .map(
            k ->
                List.of(
                    "" + k.position,
                    visible(tokenAt.apply(k.position)),
                    "" + k.heads,
                    "" + k.since))
        .toList();
  }

  private static List<String> keptHead() {
    return List.of("position", "token", "heads", "since token");
  }

  /** White space would be invisible, or break a line. */
  private static String visible(String token) {
    return token.replace(' ', '·').replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r");
  }

  private String setting() {
    return format(
        "%s, %s, %d layers with %d KV heads, D = %d; %s",
        source,
        Text.count(tokens(), "token"),
        layers(),
        heads.size() / layers(),
        heads.getFirst().channels().length,
        settings.describe());
  }

  /** For the terminal. */
  @Override
  public String table() {
    List<List<String>> all = new ArrayList<>(List.of(HEAD));
    all.addAll(rows());
    StringBuilder text = new StringBuilder(setting()).append(System.lineSeparator());
    text.append(System.lineSeparator()).append(Text.table(all));
    List<List<String>> sinks = new ArrayList<>(List.of(keptHead()));
    sinks.addAll(keptRows(TABLE_SINKS));
    text.append(System.lineSeparator()).append(Text.table(sinks));
    return text.toString();
  }

  /** For programs. */
  @Override
  public Map<String, Object> json() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("source", source);
    json.put("tokens", tokens());
    json.put("layers", layers());
    json.put("kvHeads", heads.size() / layers());
    json.put("headDim", heads.getFirst().channels().length);
    json.put("format", settings.describe());
    json.put("error", Json.round(mean(heads, HeadSurvey::error), 6));
    json.put("errorWithoutSinks", Json.round(mean(heads, HeadSurvey::errorWithout), 6));
    List<Map<String, Object>> all = new ArrayList<>();
    for (HeadSurvey head : heads) {
      Map<String, Object> entry = new LinkedHashMap<>();
      float[] sorted = head.sortedNorms();
      entry.put("layer", head.layer());
      entry.put("head", head.head());
      entry.put("smallestNorm", Json.round(sorted[0], 4));
      entry.put("medianNorm", Json.round(head.medianNorm(), 4));
      entry.put("largestNorm", Json.round(sorted[sorted.length - 1], 4));
      entry.put("outlierChannels", Arrays.stream(head.outlierChannels()).boxed().toList());
      entry.put("sinks", sinks(head));
      entry.put("error", Json.round(head.error(), 6));
      entry.put("errorWithoutSinks", Json.round(head.errorWithout(), 6));
      all.add(entry);
    }
    json.put("heads", all);
    return json;
  }

  private List<Map<String, Object>> sinks(HeadSurvey head) {
    List<Map<String, Object>> all = new ArrayList<>();
    for (HeadSurvey.Sink sink : head.sinks()) {
      Map<String, Object> entry = new LinkedHashMap<>();
      entry.put("position", sink.position());
      entry.put("token", tokenAt.apply(sink.position()));
      entry.put("norm", Json.round(head.norms()[sink.position()], 4));
      entry.put("since", sink.since());
      all.add(entry);
    }
    return all;
  }

  /** For people, with pictures. */
  @Override
  public String html() {
    Page page = new Page("Keys of " + source);
    page.text(setting());
    page.section("Key magnitude")
        .figure(
            "How far a token's key norm lies below its head's median: the strongest are a tenth of"
                + " it or less. Rows are layer.head, columns positions; a column shows the smallest"
                + " norm of its positions.",
            norms())
        .figure(
            "The smallest norms of a layer in order, relative to the median, of the head with the"
                + " deepest cliff.",
            cliffs());
    page.section("Channels")
        .figure(
            "Mean |key| of each channel relative to the head's median channel, up to 8 times.",
            channels());
    Chart errors = new Chart("layer", "relative error of attention", true);
    double[] x = IntStream.range(0, layers()).asDoubleStream().toArray();
    double[] with = Arrays.stream(x).map(l -> mean(layer((int) l), HeadSurvey::error)).toArray();
    double[] without =
        Arrays.stream(x).map(l -> mean(layer((int) l), HeadSurvey::errorWithout)).toArray();
    errors.line("with sinks", x, with).line("without sinks", x, without);
    page.section("Error").figure("Means over a layer's heads.", errors.svg());
    page.section("Tokens in full precision")
        .text("Tokens that heads keep, and after how many tokens the first of them did.")
        .table(keptHead(), keptRows(4 * TABLE_SINKS));
    page.section("Layers").table(HEAD, rows());
    return page.html();
  }

  private List<String> names() {
    return heads.stream().map(head -> head.layer() + "." + head.head()).toList();
  }

  private String norms() {
    int width = (tokens() + MAP_COLUMNS - 1) / MAP_COLUMNS;
    int columns = (tokens() + width - 1) / width;
    double[][] values = new double[heads.size()][columns];
    for (int h = 0; h < values.length; h++) {
      double median = heads.get(h).medianNorm();
      for (int t = 0; t < tokens(); t++) {
        double below = 1 - heads.get(h).norms()[t] / median;
        values[h][t / width] = Math.max(values[h][t / width], below);
      }
    }
    List<String> positions = IntStream.range(0, columns).mapToObj(c -> "" + c * width).toList();
    return new HeatMap(names(), positions, values, 0, 0.9).svg();
  }

  private String cliffs() {
    Chart chart = new Chart("rank", "norm / median", true);
    int ranks = Math.min(CLIFF_RANKS, tokens());
    double[] x = IntStream.range(0, ranks).mapToDouble(r -> r + 1).toArray();
    int step = (layers() + CLIFF_LAYERS - 1) / CLIFF_LAYERS;
    for (int l = 0; l < layers(); l += step) {
      HeadSurvey deepest =
          layer(l).stream().min(Comparator.comparingDouble(AnalyzeReport::leastNorm)).orElseThrow();
      float[] sorted = deepest.sortedNorms();
      double[] y = new double[ranks];
      Arrays.setAll(y, r -> sorted[r] / deepest.medianNorm());
      chart.line("layer " + l + ", head " + deepest.head(), x, y);
    }
    return chart.svg();
  }

  private String channels() {
    int dim = heads.getFirst().channels().length;
    double[][] values = new double[heads.size()][dim];
    for (int h = 0; h < values.length; h++) {
      double median = heads.get(h).medianChannel();
      for (int d = 0; d < dim; d++) {
        values[h][d] = heads.get(h).channels()[d] / median;
      }
    }
    List<String> labels = IntStream.range(0, dim).mapToObj(d -> "" + d).toList();
    return new HeatMap(names(), labels, values, 0, 2 * HeadSurvey.OUTLIER).svg();
  }

  private static String format(String pattern, Object... values) {
    return String.format(Locale.ROOT, pattern, values);
  }
}
