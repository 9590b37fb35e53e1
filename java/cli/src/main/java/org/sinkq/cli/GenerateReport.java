package org.sinkq.cli;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.BackendConfig;
import org.sinkq.BackendStats;
import org.sinkq.llm.ModelInfo;
import org.sinkq.llm.generate.GenerationResult;

/** What is said about a generation. */
final class GenerateReport {
  /** Short texts say little about a cache; the ratio at this length is the one to expect. */
  private static final int LONG_CONTEXT = 32 * 1024;

  private final ModelInfo model;
  private final KvSettings kv;
  private final AttentionBackend backend;
  private final GenerationResult result;
  private final BackendStats stats;

  GenerateReport(
      ModelInfo model, KvSettings kv, AttentionBackend backend, GenerationResult result) {
    this.model = model;
    this.kv = kv;
    this.backend = backend;
    this.result = result;
    stats = result.stats();
  }

  /** The object of {@code --json}; scripts rely on names and order. */
  Map<String, Object> json() {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("promptTokens", result.promptTokens());
    line.put("generatedTokens", result.generatedTokens());
    line.put("tokensPerSecond", Json.round(result.tokensPerSecond(), 2));
    line.put("engine", backend.engine().name());
    line.put("kv", kv.preset().toString());
    line.put("cacheBytes", stats.allocatedBytes());
    line.put("fp16Bytes", stats.fp16Bytes());
    line.put("ratio", Json.round(ratio(), 4));
    line.put("sinkTokens", stats.sinkTokens());
    return line;
  }

  /** One line for people. */
  String summary() {
    return String.format(
        Locale.ROOT,
        "%s at %.1f tokens/s, prompt %s; cache %s, fp16 would take %s: ratio %.2f (%.2f at 32K"
            + " tokens); %s held; engine %s",
        Text.count(result.generatedTokens(), "token"),
        result.tokensPerSecond(),
        Text.count(result.promptTokens(), "token"),
        Text.bytes(stats.allocatedBytes()),
        Text.bytes(stats.fp16Bytes()),
        ratio(),
        longRatio(),
        Text.count(stats.sinkTokens(), "sink token"),
        Text.engine(backend.engine()));
  }

  /** Several lines of details. */
  String details() {
    return String.join(
        System.lineSeparator(),
        String.format(
            Locale.ROOT,
            "model   %s (%s, %s): %d layers, %d query and %d KV heads, D = %d, context %d",
            model.name(),
            model.architecture(),
            model.quantization(),
            model.layers(),
            model.heads(),
            model.kvHeads(),
            model.headDim(),
            model.contextLength()),
        String.format(
            Locale.ROOT,
            "prompt  %s in %.2f s, %.1f tokens/s",
            Text.count(result.promptTokens(), "token"),
            result.prefillSeconds(),
            result.promptTokens() / result.prefillSeconds()),
        String.format(
            Locale.ROOT,
            "text    %s in %.2f s, %.1f tokens/s, ended by %s",
            Text.count(result.generatedTokens(), "token"),
            result.decodeSeconds(),
            result.tokensPerSecond(),
            reason()),
        String.format(
            Locale.ROOT,
            "cache   %s; %d of %s in use, room for %d tokens",
            kv.describe(),
            stats.pages(),
            Text.count(stats.maxPages(), "page"),
            backend.config().cache().capacityTokens()),
        String.format(
            Locale.ROOT,
            "sinks   %d in pools, %d spilled, %s frozen",
            stats.sinkTokens(),
            stats.spillTokens(),
            Text.count(stats.frozenHeads(), "pool")));
  }

  private String reason() {
    return switch (result.stopReason()) {
      case END_OF_GENERATION -> "the model";
      case MAX_TOKENS -> "--max-tokens";
      case CONTEXT_FULL -> "a full context";
      case STOP_REQUESTED -> "request";
    };
  }

  private double ratio() {
    return (double) stats.fp16Bytes() / stats.allocatedBytes();
  }

  private double longRatio() {
    BackendConfig config = backend.config();
    BackendConfig longer =
        new BackendConfig(
            config.shape(),
            kv.spec(LONG_CONTEXT, KvSettings.FIRST_SINK_LAYER),
            config.engine(),
            config.threads());
    long bytes = AttentionBackends.requiredBytes(longer, backend.engine().name());
    return (double) config.shape().fp16BytesPerToken() * LONG_CONTEXT / bytes;
  }
}
