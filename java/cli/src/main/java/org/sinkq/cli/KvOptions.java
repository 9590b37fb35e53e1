package org.sinkq.cli;

import org.sinkq.InvalidArgumentException;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The options of every command that opens a cache. */
final class KvOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Option(
      names = "--kv",
      paramLabel = "KIND",
      defaultValue = "sinkq2",
      converter = KvPreset.Converter.class,
      description = {
        "Cache: ${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).",
        "fp16 is dense; int4 is 4 bit with sinks; kivi2 is 2 bit with a window of 128 and no sinks,"
            + " kivi2-g32 the same in groups of 32; first4 is 2 bit and keeps the first four tokens"
            + " as they are; sinkq2 is 2 bit with a window of 32 and sinks; sinkq2a the same with"
            + " bits where they matter; -mass takes the most attended tokens for sinks."
      })
  private KvPreset kv;

  @Option(
      names = "--page",
      paramLabel = "N",
      description = "Tokens quantized together: 32, 64 or 128 (default: 128).")
  private Integer page;

  @Option(
      names = "--window",
      paramLabel = "N",
      description = "Recent tokens kept in full precision (default: of --kv).")
  private Integer window;

  @Option(
      names = "--pool",
      paramLabel = "N",
      description = "Sink tokens that each KV head keeps in full precision (default: of --kv).")
  private Integer pool;

  @Option(
      names = "--spill",
      paramLabel = "N",
      description = "Tokens kept after they left the pool (default: 32, without a pool 0).")
  private Integer spill;

  /** Checks the options together. */
  KvSettings settings() {
    try {
      return KvSettings.of(kv, page, window, pool, spill);
    } catch (InvalidArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
  }
}
