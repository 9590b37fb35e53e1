package org.sinkq.cli;

import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.sinkq.InvalidArgumentException;
import org.sinkq.cli.plan.CapacityPlanner;
import org.sinkq.cli.plan.DecoderShape;
import org.sinkq.cli.plan.Gpu;
import org.sinkq.cli.plan.StepPredictor;
import org.sinkq.cli.plan.StepTime;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** What fits on a GPU, and how fast it would decode. */
@Command(
    name = "plan",
    description = {
      "Show how many sequences fit on a GPU and how fast they decode; needs no GPU.",
      "",
      "Weights are fp16. Bytes are exactly what the engine allocates; times are predicted from rates"
          + " measured on an H100 and an H200, and from data sheets elsewhere.",
      ""
    },
    footer = {
      "  sinkq plan --shape llama-3-8b --gpu h100-80 --context 8K,32K",
      "  sinkq plan --shape model.gguf --gpu 4090 --kv fp16,sinkq2 --context 16K --batch 8",
      "  sinkq plan --shape llama-2-7b --gpu a100-80 --memory 76G --json"
    })
final class PlanCommand implements Runnable {
  private static final List<String> HEAD =
      List.of(
          "cache",
          "context",
          "bytes/sequence",
          "fit",
          "batch",
          "gemm ms",
          "attend ms",
          "flush ms",
          "other ms",
          "step ms",
          "tokens/s");

  private static final String MOST = "max";
  private static final int MAX_CONTEXT = 1 << 24;
  private static final String ENGINE = "cuda";

  @Spec private CommandSpec spec;

  @Mixin private ShapeOption shape;

  @Option(
      names = "--gpu",
      paramLabel = "NAME",
      defaultValue = "h100-80",
      description =
          "h100-80, h200, a100-80, a100-40, l40s, l4, 4090 or 5090 (default: ${DEFAULT-VALUE}).")
  private String gpu;

  @Option(
      names = "--context",
      paramLabel = "N",
      split = ",",
      defaultValue = "8K,32K",
      description = "Tokens of each sequence; K is 1024 (default: ${DEFAULT-VALUE}).")
  private List<String> contexts;

  @Option(
      names = "--kv",
      paramLabel = "KIND",
      split = ",",
      defaultValue = "fp16,int4,kivi2,sinkq2",
      converter = KvPreset.Converter.class,
      description = "Caches to compare (default: ${DEFAULT-VALUE}).")
  private List<KvPreset> kinds;

  @Option(
      names = "--memory",
      paramLabel = "BYTES",
      description =
          "Device memory for weights and cache, such as 76G (default: 95 %% of the GPU's).")
  private String memory;

  @Option(
      names = "--batch",
      paramLabel = "N|max",
      defaultValue = MOST,
      description = "Sequences of a step (default: as many as fit).")
  private String batch;

  @Option(names = "--json", description = "Print one line of JSON for each row.")
  private boolean json;

  @Override
  public void run() {
    Gpu device =
        Gpu.find(gpu)
            .orElseThrow(
                () ->
                    new ParameterException(
                        spec.commandLine(),
                        "--gpu=" + gpu + ", expected one of " + String.join(", ", Gpu.names())));
    DecoderShape model = shape.model();
    List<Integer> tokens = contexts.stream().map(this::context).toList();
    int sequences = batch.equals(MOST) ? 0 : (int) number("--batch", batch, 1, 1 << 16);
    long bytes =
        memory == null
            ? device.memoryBytes() / 100 * 95
            : number("--memory", memory, 1, device.memoryBytes());
    CapacityPlanner planner = planner(model, bytes);
    StepPredictor predictor = new StepPredictor(model, device, ENGINE);
    PrintWriter out = spec.commandLine().getOut();
    List<Row> rows =
        tokens.stream()
            .flatMap(
                context ->
                    kinds.stream()
                        .map(kind -> row(model, planner, predictor, kind, context, sequences)))
            .toList();
    if (json) {
      rows.forEach(row -> out.println(Json.line(row.json())));
    } else {
      out.printf(
          "%s on %s: weights %s, left for the cache %s; times %s%n%n",
          model.name(),
          device,
          Text.bytes(model.weightBytes()),
          Text.bytes(planner.cacheBytes()),
          device.isMeasured() ? "from rates measured on this GPU" : "scaled from an H100");
      out.print(Text.table(Stream.concat(Stream.of(HEAD), rows.stream().map(Row::cells)).toList()));
    }
    out.flush();
  }

  private static Row row(
      DecoderShape model,
      CapacityPlanner planner,
      StepPredictor predictor,
      KvPreset kind,
      int context,
      int wanted) {
    KvSettings settings = KvSettings.of(kind, null, null, null, null);
    CapacityPlanner.Format format =
        (count, tokens) -> settings.spec(model.attention(), count, tokens);
    int fit = planner.sequencesThatFit(format, context);
    int batch = wanted == 0 ? fit : Math.min(wanted, fit);
    return new Row(
        kind,
        context,
        planner.requiredBytes(format, 1, context),
        fit,
        batch,
        predictor.stepTime(format, Math.max(1, batch), context));
  }

  /** One cache at one context. */
  private record Row(
      KvPreset kind, int context, long bytesPerSequence, int fit, int batch, StepTime time) {

    double tokensPerSecond() {
      return batch / time.total();
    }

    Map<String, Object> json() {
      Map<String, Object> line = new LinkedHashMap<>();
      line.put("kv", kind.toString());
      line.put("context", context);
      line.put("bytesPerSequence", bytesPerSequence);
      line.put("fit", fit);
      line.put("batch", batch);
      line.put("gemmSeconds", time.gemm());
      line.put("attentionSeconds", time.attention());
      line.put("flushSeconds", time.flush());
      line.put("otherSeconds", time.other());
      line.put("stepSeconds", time.total());
      line.put("tokensPerSecond", Json.round(tokensPerSecond(), 1));
      return line;
    }

    List<String> cells() {
      String size = String.format(Locale.ROOT, "%,d", bytesPerSequence);
      return batch == 0
          ? List.of(
              kind.toString(),
              Integer.toString(context),
              size,
              Integer.toString(fit),
              "does not fit",
              "",
              "",
              "",
              "",
              "",
              "")
          : List.of(
              kind.toString(),
              Integer.toString(context),
              size,
              Integer.toString(fit),
              Integer.toString(batch),
              milliseconds(time.gemm()),
              milliseconds(time.attention()),
              milliseconds(time.flush()),
              milliseconds(time.other()),
              milliseconds(time.total()),
              String.format(Locale.ROOT, "%,.0f", tokensPerSecond()));
    }

    private static String milliseconds(double seconds) {
      return String.format(Locale.ROOT, "%.2f", 1e3 * seconds);
    }
  }

  private CapacityPlanner planner(DecoderShape model, long bytes) {
    try {
      return new CapacityPlanner(model, bytes, ENGINE);
    } catch (InvalidArgumentException e) {
      throw new ParameterException(spec.commandLine(), "--" + e.getMessage(), e);
    }
  }

  private int context(String text) {
    return (int) number("--context", text, KvPreset.SINKQ2.windowTokens(), MAX_CONTEXT);
  }

  private long number(String option, String text, long least, long most) {
    return Quantity.parse(spec.commandLine(), option, text, least, most);
  }
}
