package org.sinkq.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.sinkq.BackendStats;
import org.sinkq.ModelShape;
import org.sinkq.cli.replay.Replay;
import org.sinkq.cli.replay.Trace;
import org.sinkq.llm.safetensors.SafetensorsWriter;
import org.sinkq.llm.safetensors.Tensor;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Runs a recorded trace through a cache. */
@Command(
    name = "replay",
    description = {
      "Run recorded queries, keys and values of one layer through a cache.",
      "",
      "IN holds q [T, Hq, D], k and v [T, Hkv, D], after RoPE, each F32, F16 or BF16. OUT receives"
          + " out [T, Hq, D] F32 and sinks [Hkv, n] I32: the positions in pool and spill at the"
          + " end, ascending, padded with -1. The summary compares memory and result with an fp16"
          + " cache.",
      ""
    },
    footer = {
      "  sinkq replay trace.safetensors out.safetensors",
      "  sinkq replay trace.safetensors out.safetensors --prompt 1024 --kv kivi2",
      "  sinkq replay trace.safetensors out.safetensors --pool 6 --json"
    })
final class ReplayCommand implements Runnable {
  private final Environment environment;

  @Spec private CommandSpec spec;

  @Parameters(index = "0", paramLabel = "IN.safetensors", description = "The trace.")
  private Path in;

  @Parameters(
      index = "1",
      paramLabel = "OUT.safetensors",
      description = "Where the result goes; an existing file is replaced when all is done.")
  private Path out;

  @Option(
      names = "--prompt",
      paramLabel = "N",
      defaultValue = "0",
      description = "Take the first N tokens as one prompt and the rest one by one (default: 0).")
  private int prompt;

  @Mixin private KvOptions kv;
  @Mixin private EngineOptions engine;

  @Option(names = "--json", description = "Print the summary as one line of JSON.")
  private boolean json;

  ReplayCommand(Environment environment) {
    this.environment = environment;
  }

  @Override
  public void run() {
    KvSettings settings = kv.settings();
    engine.check();
    OutputFile.check(out, "OUT");
    PrintWriter stdout = spec.commandLine().getOut();
    try (Trace trace = Trace.open(in);
        Arena arena = Arena.ofShared()) {
      int tokens = trace.tokens();
      if (prompt < 0 || prompt > tokens) {
        throw new ParameterException(
            spec.commandLine(),
            "--prompt=" + prompt + ", expected 0 to the " + tokens + " tokens of " + in);
      }
      KvSettings dense = KvSettings.of(KvPreset.FP16, settings.page(), null, null, null);
      Replay replay =
          new Replay(
              trace,
              engine.config(trace.shape(), settings.spec(tokens, 0)),
              engine.config(trace.shape(), dense.spec(tokens, 0)),
              prompt);
      long begin = System.nanoTime();
      Replay.Result result;
      try (Progress progress =
          new Progress(spec.commandLine().getErr(), environment.errIsTerminal())) {
        result =
            replay.run(
                arena, done -> progress.accept("replayed " + done + " of " + tokens + " tokens"));
      }
      double seconds = (System.nanoTime() - begin) / 1e9;
      write(trace, result);
      if (json) {
        stdout.println(Json.line(summary(trace.shape(), tokens, settings, result, seconds)));
      } else {
        print(stdout, trace.shape(), tokens, settings, result);
      }
      stdout.flush();
    }
  }

  private void write(Trace trace, Replay.Result result) {
    ModelShape shape = trace.shape();
    int n = Arrays.stream(result.sinks()).mapToInt(head -> head.length).max().orElse(0);
    int[] padded = new int[shape.numKvHeads() * n];
    Arrays.fill(padded, -1);
    for (int head = 0; head < shape.numKvHeads(); head++) {
      int[] positions = result.sinks()[head];
      System.arraycopy(positions, 0, padded, head * n, positions.length);
    }
    Tensor rows =
        Tensor.of("out", "F32", result.out(), trace.tokens(), shape.numQoHeads(), shape.headDim());
    Tensor sinks = Tensor.of("sinks", "I32", MemorySegment.ofArray(padded), shape.numKvHeads(), n);
    try {
      SafetensorsWriter.write(out, List.of(rows, sinks));
    } catch (IOException e) {
      throw new CommandException(
          out + ": cannot be written (" + e.getMessage() + "); nothing was changed", e);
    }
  }

  private Map<String, Object> summary(
      ModelShape shape, int tokens, KvSettings settings, Replay.Result result, double seconds) {
    BackendStats stats = result.stats();
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("tokens", tokens);
    line.put("promptTokens", prompt);
    line.put("qoHeads", shape.numQoHeads());
    line.put("kvHeads", shape.numKvHeads());
    line.put("headDim", shape.headDim());
    line.put("engine", result.engine().name());
    line.put("kv", settings.preset().toString());
    line.put("page", settings.page());
    line.put("window", settings.window());
    line.put("pool", settings.pool());
    line.put("spill", settings.spill());
    line.put("cacheBytes", stats.allocatedBytes());
    line.put("fp16Bytes", stats.fp16Bytes());
    line.put("ratio", Json.round(ratio(stats), 4));
    line.put("relativeError", result.relativeError());
    line.put("maxError", result.maxError());
    line.put("sinkTokens", stats.sinkTokens());
    line.put("spillTokens", stats.spillTokens());
    line.put("frozenHeads", stats.frozenHeads());
    line.put("seconds", Json.round(seconds, 3));
    return line;
  }

  private void print(
      PrintWriter to, ModelShape shape, int tokens, KvSettings settings, Replay.Result result) {
    BackendStats stats = result.stats();
    to.printf(
        Locale.ROOT,
        "trace   %s (%d as the prompt), %d query and %d KV heads, D = %d%n",
        Text.count(tokens, "token"),
        prompt,
        shape.numQoHeads(),
        shape.numKvHeads(),
        shape.headDim());
    to.printf("cache   %s%n", settings.describe());
    to.printf(
        Locale.ROOT,
        "memory  %s, fp16 would take %s: ratio %.2f%n",
        Text.bytes(stats.allocatedBytes()),
        Text.bytes(stats.fp16Bytes()),
        ratio(stats));
    to.printf(
        Locale.ROOT,
        "error   relative %.3e, max %.3e against the fp16 cache%n",
        result.relativeError(),
        result.maxError());
    to.printf(
        Locale.ROOT,
        "sinks   %s in pools, %d spilled, %d of %d heads frozen%n",
        Text.count(stats.sinkTokens(), "token"),
        stats.spillTokens(),
        stats.frozenHeads(),
        shape.numKvHeads());
    to.printf("engine  %s%n", Text.engine(result.engine()));
    to.printf("wrote   %s%n", out);
  }

  private static double ratio(BackendStats stats) {
    return (double) stats.fp16Bytes() / stats.allocatedBytes();
  }
}
