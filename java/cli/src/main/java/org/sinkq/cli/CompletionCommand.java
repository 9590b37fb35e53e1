package org.sinkq.cli;

import picocli.AutoComplete;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Prints the completion script. */
@Command(
    name = "completion",
    description = "Print a completion script for bash and zsh.",
    footer = {
      "  source <(sinkq completion)",
      "  sinkq completion > ~/.local/share/bash-completion/completions/sinkq"
    })
final class CompletionCommand implements Runnable {
  @Spec private CommandSpec spec;

  @Override
  public void run() {
    spec.commandLine().getOut().print(AutoComplete.bash("sinkq", spec.root().commandLine()));
    spec.commandLine().getOut().flush();
  }
}
