package org.sinkq.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToIntFunction;
import java.util.stream.Stream;
import org.sinkq.cli.plan.StepTime;
import org.sinkq.cli.report.Chart;
import org.sinkq.cli.throughput.Batch;
import org.sinkq.cli.throughput.Measurement;
import org.sinkq.cli.throughput.Parts;

/**
 * Throughputs as a table, as JSON, and as Markdown with pictures.
 *
 * @param setting one line that says what was measured where
 * @param batches the groups of the tables
 * @param reference name of the cache that the others are compared with
 */
record ThroughputReport(
    String setting, List<Batch> batches, String reference, List<Measurement> measurements) {
  private static final List<String> HEAD =
      List.of(
          "cache",
          "context",
          "fit",
          "batch",
          "tokens/s",
          "x",
          "step ms",
          "gemm",
          "attend",
          "flush",
          "other",
          "idle",
          "host ms",
          "planned ms",
          "planned / measured");

  private static final List<String> MEMORY_HEAD =
      List.of("cache", "context", "sequences", "weights", "cache bytes", "workspace", "allocated");

  private static final String LEGEND =
      "x: tokens/s over those of %s at the same context. gemm, attend (appending included), flush and"
          + " other: milliseconds of a step on the device; flush is what filling pages adds to the"
          + " mean step. idle: part of a step in which the device waits for the host. host: what a"
          + " step takes the host, meanwhile.";

  /** The measurements of a group, in the order of contexts and caches. */
  private List<Measurement> group(Batch batch) {
    return measurements.stream()
        .filter(
            m ->
                m.sequences()
                    == batch.sequences(m.fit(), reference(m.context()).map(r -> r.fit()).orElse(0)))
        .toList();
  }

  private Optional<Measurement> reference(int context) {
    return measurements.stream()
        .filter(m -> m.kv().equals(reference) && m.context() == context)
        .findFirst();
  }

  /** How many times the reference's tokens/s in the same group; empty if that has none. */
  private static Optional<Double> ratio(String reference, List<Measurement> group, Measurement m) {
    return group.stream()
        .filter(r -> r.kv().equals(reference) && r.context() == m.context())
        .findFirst()
        .map(r -> m.tokensPerSecond() / r.tokensPerSecond());
  }

  private List<List<String>> rows(List<Measurement> group) {
    return group.stream()
        .map(
            m -> {
              Parts p = m.parts();
              List<String> row = new ArrayList<>();
              row.add(m.kv());
              row.add(Integer.toString(m.context()));
              row.add(Integer.toString(m.fit()));
              row.add(Integer.toString(m.sequences()));
              row.add(format("%,.0f", m.tokensPerSecond()));
              row.add(ratio(reference, group, m).map(x -> format("%.2f", x)).orElse(""));
              Stream.of(m.stepSeconds(), p.gemm(), p.attention(), p.flush(), p.other())
                  .forEach(seconds -> row.add(format("%.2f", 1e3 * seconds)));
              row.add(format("%.1f %%", 100 * m.idle()));
              row.add(format("%.2f", 1e3 * m.hostSeconds()));
              row.add(m.predicted().map(t -> format("%.2f", 1e3 * t.total())).orElse(""));
              row.add(
                  m.predicted().map(t -> format("%.2f", t.total() / m.stepSeconds())).orElse(""));
              return row;
            })
        .toList();
  }

  private List<List<String>> memoryRows(List<Measurement> group) {
    return group.stream()
        .map(
            m ->
                List.of(
                    m.kv(),
                    Integer.toString(m.context()),
                    Integer.toString(m.sequences()),
                    format("%,d", m.memory().weights()),
                    format("%,d", m.memory().cache()),
                    format("%,d", m.memory().workspace()),
                    format("%,d", m.memory().device())))
        .toList();
  }

  /** For the terminal. */
  String table() {
    StringBuilder text = new StringBuilder(setting).append(System.lineSeparator());
    for (Batch batch : batches) {
      List<Measurement> group = group(batch);
      if (!group.isEmpty()) {
        text.append(System.lineSeparator()).append(batch.title(reference));
        text.append(System.lineSeparator()).append(Text.table(withHead(HEAD, rows(group))));
      }
    }
    return text.toString();
  }

  private static List<List<String>> withHead(List<String> head, List<List<String>> rows) {
    return Stream.concat(Stream.of(head), rows.stream()).toList();
  }

  /** For programs: a line for each measurement. */
  List<Map<String, Object>> json() {
    return measurements.stream().map(ThroughputReport::json).toList();
  }

  private static Map<String, Object> json(Measurement m) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("kv", m.kv());
    line.put("context", m.context());
    line.put("fit", m.fit());
    line.put("batch", m.sequences());
    line.put("meanTokens", Json.round(m.meanTokens(), 1));
    line.put("tokensPerSecond", Json.round(m.tokensPerSecond(), 2));
    line.put("stepSeconds", m.stepSeconds());
    line.put("gemmSeconds", m.parts().gemm());
    line.put("attentionSeconds", m.parts().attention());
    line.put("flushSeconds", m.parts().flush());
    line.put("otherSeconds", m.parts().other());
    line.put("hostSeconds", m.hostSeconds());
    line.put("idle", Json.round(m.idle(), 4));
    line.put("weightBytes", m.memory().weights());
    line.put("cacheBytes", m.memory().cache());
    line.put("deviceBytes", m.memory().device());
    line.put("plannedSeconds", m.predicted().map(StepTime::total).orElse(null));
    return line;
  }

  /**
   * For the web.
   *
   * @param title of the document
   * @param command that gives it
   * @param contextPicture name of the file with {@link #overContext}
   * @param batchPicture name of the file with {@link #overBatch}
   */
  String markdown(String title, String command, String contextPicture, String batchPicture) {
    StringBuilder text = new StringBuilder("# " + title + "\n\n" + setting + "\n\n");
    text.append("```\n").append(command).append("\n```\n");
    for (Batch batch : batches) {
      List<Measurement> group = group(batch);
      if (!group.isEmpty()) {
        text.append("\n## ").append(batch.title(reference)).append("\n\n");
        text.append(markdown(HEAD, rows(group)));
        if (batch.kind() == Batch.Kind.MOST) {
          text.append("\nDevice memory, bytes; allocated is the driver's count.\n\n");
          text.append(markdown(MEMORY_HEAD, memoryRows(group)));
        }
      }
    }
    text.append('\n').append(format(LEGEND, reference)).append("\n\n");
    text.append("![tokens/s over context](").append(contextPicture).append(")\n\n");
    text.append("![tokens/s over batch](").append(batchPicture).append(")\n");
    return text.toString();
  }

  private static String markdown(List<String> head, List<List<String>> rows) {
    StringBuilder text = new StringBuilder();
    text.append("| ").append(String.join(" | ", head)).append(" |\n");
    text.append("|---".repeat(head.size())).append("|\n");
    rows.forEach(row -> text.append("| ").append(String.join(" | ", row)).append(" |\n"));
    return text.toString();
  }

  /** Tokens/s over the context, as many sequences as fit. */
  String overContext() {
    Chart chart = new Chart("context, tokens", "tokens/s, equal memory", true).withLogarithmicX();
    for (String kv : names()) {
      List<Measurement> most =
          measurements.stream().filter(m -> m.kv().equals(kv) && m.sequences() == m.fit()).toList();
      chart.line(kv, xs(most, Measurement::context), ys(most));
    }
    return chart.document();
  }

  /** Tokens/s over the batch, a line for each cache and context. */
  String overBatch() {
    Chart chart = new Chart("sequences", "tokens/s", true).withLogarithmicX();
    for (int context : measurements.stream().map(Measurement::context).distinct().toList()) {
      for (String kv : names()) {
        List<Measurement> line =
            measurements.stream().filter(m -> m.kv().equals(kv) && m.context() == context).toList();
        chart.line(kv + ", " + context, xs(line, Measurement::sequences), ys(line));
      }
    }
    return chart.document();
  }

  private List<String> names() {
    return measurements.stream().map(Measurement::kv).distinct().toList();
  }

  private static double[] xs(List<Measurement> line, ToIntFunction<Measurement> x) {
    return line.stream().mapToInt(x).asDoubleStream().toArray();
  }

  private static double[] ys(List<Measurement> line) {
    return line.stream().mapToDouble(Measurement::tokensPerSecond).toArray();
  }

  private static String format(String pattern, Object... values) {
    return String.format(Locale.ROOT, pattern, values);
  }
}
