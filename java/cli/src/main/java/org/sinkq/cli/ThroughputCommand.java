package org.sinkq.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.IntConsumer;
import org.sinkq.InvalidArgumentException;
import org.sinkq.cli.plan.CapacityPlanner;
import org.sinkq.cli.plan.DecoderShape;
import org.sinkq.cli.throughput.Batch;
import org.sinkq.cli.throughput.Contender;
import org.sinkq.cli.throughput.Measurement;
import org.sinkq.cli.throughput.Setup;
import org.sinkq.cli.throughput.Target;
import org.sinkq.cli.throughput.ThroughputRun;
import org.sinkq.cli.throughput.Weights;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Decode throughput of a whole model. */
@Command(
    name = "throughput",
    description = {
      "Measure how many tokens per second a GPU decodes with each cache.",
      "",
      "A step is everything between a token and the next one, in all layers: embedding, norms, RoPE,"
          + " matrix products (fp16 weights, cuBLAS), attention, appending, quantizing pages that are"
          + " full, output projection, the most probable token. It is recorded as a CUDA graph and"
          + " replayed for sequences whose lengths differ (7/8 to 9/8 of their mean, which reaches"
          + " --context in the end). Weights are random unless a file is given; keys and values"
          + " that the caches begin with are random too, with outlier channels and sinks.",
      ""
    },
    footer = {
      "  sinkq bench throughput --shape llama-3-8b --context 8K,32K --memory 76GB",
      "  sinkq bench throughput --shape llama-2-7b --kv fp16,sinkq2 --batch equal,1 --json",
      "  sinkq bench throughput --memory 76GB --report results.md"
    })
final class ThroughputCommand implements Runnable {
  private static final int MOST_STEPS = 4096;

  @Spec private CommandSpec spec;

  private final Environment environment;

  @Mixin private ShapeOption shape;

  @Option(
      names = "--context",
      paramLabel = "N",
      split = ",",
      defaultValue = "8K,32K",
      description =
          "Tokens that each sequence has memory for; K is 1024 (default: ${DEFAULT-VALUE}).")
  private List<String> contexts;

  @Option(
      names = "--kv",
      paramLabel = "KIND",
      split = ",",
      defaultValue = "fp16,int4,kivi2,sinkq2",
      converter = KvPreset.Converter.class,
      description =
          "Caches; the others are compared with the first one (default: ${DEFAULT-VALUE}).")
  private List<KvPreset> kinds;

  @Option(
      names = "--memory",
      paramLabel = "BYTES",
      description =
          "Device memory for weights and cache: 76GB is 76 * 10^9 bytes, 76G 76 * 2^30 (default: 95"
              + " %% of the GPU's).")
  private String memory;

  @Option(
      names = "--batch",
      paramLabel = "max|equal|N",
      split = ",",
      defaultValue = "max,equal",
      description =
          "Sequences of a step: as many as fit, as many as fit with the first cache, or a number"
              + " (default: ${DEFAULT-VALUE}).")
  private List<String> batches;

  @Option(
      names = "--steps",
      paramLabel = "N",
      defaultValue = "128",
      description = "Steps to time, a multiple of 8 (default: ${DEFAULT-VALUE}).")
  private int steps;

  @Option(names = "--engine", hidden = true, defaultValue = "cuda")
  private String engine;

  @Option(
      names = "--report",
      paramLabel = "FILE.md",
      description = "Write the tables as Markdown, with two plots beside it.")
  private Path report;

  @Option(names = "--json", description = "Print one line of JSON for each measurement.")
  private boolean json;

  ThroughputCommand(Environment environment) {
    this.environment = environment;
  }

  @Override
  public void run() {
    if (steps < 1 || steps > MOST_STEPS || steps % ThroughputRun.STEP_UNIT != 0) {
      throw refused(
          "--steps=%d, expected a multiple of %d up to %d",
          steps, ThroughputRun.STEP_UNIT, MOST_STEPS);
    }
    List<Integer> tokens = contexts.stream().map(this::context).distinct().toList();
    List<Batch> groups = batches.stream().map(this::batch).distinct().toList();
    if (report != null) {
      OutputFile.check(report, "--report");
    }
    DecoderShape model = shape.model();
    Target target = Target.of(engine);
    CapacityPlanner planner = planner(model, target);
    List<Contender> contenders =
        kinds.stream().distinct().map(kind -> contender(model, kind)).toList();
    requireOneThatFits(planner, contenders, tokens);
    List<Measurement> all = measure(model, target, planner, contenders, groups, tokens);
    print(
        new ThroughputReport(
            setting(model, target, planner), groups, contenders.getFirst().name(), all));
  }

  private List<Measurement> measure(
      DecoderShape model,
      Target target,
      CapacityPlanner planner,
      List<Contender> contenders,
      List<Batch> groups,
      List<Integer> tokens) {
    List<Measurement> all = new ArrayList<>();
    int longest = 2 * tokens.stream().mapToInt(i -> i).max().orElseThrow();
    try (Weights weights =
            shape.file().isPresent()
                ? Weights.of(shape.file().get(), engine)
                : Weights.random(model, longest, engine);
        Progress progress =
            new Progress(spec.commandLine().getErr(), environment.errIsTerminal())) {
      Setup setup = new Setup(model, weights, engine, target, steps);
      ThroughputRun run =
          new ThroughputRun(setup, planner, contenders, groups, new Listener(progress));
      for (int context : tokens) {
        run.measure(context, all::add);
      }
    }
    return all;
  }

  /** Room for the steps as well, so that what begins in a cache is most of what ends in it. */
  private int context(String text) {
    int least = kinds.stream().mapToInt(KvPreset::windowTokens).max().orElse(0);
    int context = (int) Quantity.parse(spec.commandLine(), "--context", text, least, 1 << 24);
    int grown = ThroughputRun.grownTokens(steps);
    if (context < 2 * grown) {
      throw refused(
          "--context=%s with --steps=%d, expected at least %d: sequences grow by %d tokens",
          text, steps, 2 * grown, grown);
    }
    return context;
  }

  private CapacityPlanner planner(DecoderShape model, Target target) {
    long bytes =
        memory == null
            ? Math.min(target.freeBytes(), target.totalBytes() / 100 * 95)
            : Quantity.parse(spec.commandLine(), "--memory", memory, 1, target.totalBytes());
    if (bytes > target.freeBytes()) {
      throw refused(
          "--memory=%s, expected at most %d: what is free of the %d bytes of %s",
          memory, target.freeBytes(), target.totalBytes(), target.name());
    }
    try {
      return new CapacityPlanner(model, bytes, engine);
    } catch (InvalidArgumentException e) {
      throw new ParameterException(spec.commandLine(), "--" + e.getMessage(), e);
    }
  }

  private static Contender contender(DecoderShape model, KvPreset kind) {
    KvSettings settings = KvSettings.of(kind, null, null, null, null);
    return new Contender(
        kind.toString(), (count, tokens) -> settings.spec(model.attention(), count, tokens));
  }

  private void requireOneThatFits(
      CapacityPlanner planner, List<Contender> contenders, List<Integer> tokens) {
    for (int context : tokens) {
      for (Contender contender : contenders) {
        if (planner.sequencesThatFit(contender.format(), context) > 0) {
          return;
        }
      }
    }
    Contender first = contenders.getFirst();
    throw refused(
        "--context=%d, expected less: a sequence of %s takes %d bytes, the weights leave %d",
        tokens.getFirst(),
        first.name(),
        planner.requiredBytes(first.format(), 1, tokens.getFirst()),
        planner.cacheBytes());
  }

  private String setting(DecoderShape model, Target target, CapacityPlanner planner) {
    return String.format(
        Locale.ROOT,
        "%s, %s, driver for CUDA %s; memory for weights and cache %,d bytes, of which the cache's %,d; %d steps",
        model.name(),
        target.name(),
        target.driver(),
        planner.cacheBytes() + model.weightBytes(),
        planner.cacheBytes(),
        steps);
  }

  private void print(ThroughputReport result) {
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      result.json().forEach(line -> out.println(Json.line(line)));
    } else {
      out.print(result.table());
    }
    if (report != null) {
      String stem = String.valueOf(report.getFileName()).replaceFirst("[.]md$", "");
      String title = "Decode throughput, " + LocalDate.now(ZoneOffset.UTC);
      String command =
          "sinkq " + String.join(" ", spec.commandLine().getParseResult().originalArgs());
      OutputFile.write(
          report, result.markdown(title, command, stem + "-context.svg", stem + "-batch.svg"));
      OutputFile.write(report.resolveSibling(stem + "-context.svg"), result.overContext());
      OutputFile.write(report.resolveSibling(stem + "-batch.svg"), result.overBatch());
      if (!json) {
        out.printf("wrote %s and two plots beside it%n", report);
      }
    }
    out.flush();
  }

  /** Shows on stderr how far the run is. */
  private record Listener(Progress progress) implements ThroughputRun.Listener {
    @Override
    public IntConsumer onFill(Contender contender, int context, int sequences, int tokens) {
      String what = "filling " + contender.name() + ", " + sequences + " x " + context;
      return new Countdown(progress, what, tokens);
    }

    @Override
    public void onMeasure(Contender contender, int context, int sequences) {
      progress.accept("timing " + contender.name() + ", " + sequences + " x " + context);
    }
  }

  private Batch batch(String text) {
    return switch (text) {
      case "max" -> new Batch(Batch.Kind.MOST, 0);
      case "equal" -> new Batch(Batch.Kind.EQUAL, 0);
      default ->
          new Batch(
              Batch.Kind.FIXED,
              (int) Quantity.parse(spec.commandLine(), "--batch", text, 1, 1 << 16));
    };
  }

  private ParameterException refused(String format, Object... values) {
    return new ParameterException(spec.commandLine(), String.format(Locale.ROOT, format, values));
  }
}
