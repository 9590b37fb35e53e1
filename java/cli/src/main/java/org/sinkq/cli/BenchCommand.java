package org.sinkq.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Measurements on this machine. */
@Command(
    name = "bench",
    description = {"Measure on this machine's GPU.", ""},
    synopsisSubcommandLabel = "COMMAND",
    footer = "  sinkq bench throughput --shape llama-3-8b --context 8K,32K")
final class BenchCommand implements Runnable {
  @Spec private CommandSpec spec;

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "bench: what is missing, expected throughput");
  }
}
