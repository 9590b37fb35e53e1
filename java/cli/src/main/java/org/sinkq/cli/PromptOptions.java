package org.sinkq.cli;

import java.io.IOException;
import java.io.InputStream;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Where the prompt comes from. */
final class PromptOptions {
  private static final String STDIN = "-";

  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Parameters(
      index = "0",
      arity = "0..1",
      paramLabel = "PROMPT",
      description = "The text to continue.")
  private String prompt;

  @Option(
      names = "--prompt-file",
      paramLabel = "FILE",
      description = "Read the prompt from a UTF-8 file, every byte of it; - is stdin.")
  private String file;

  /** Refuses a command line without a prompt, or with two. */
  void check() {
    if (prompt == null && file == null) {
      throw new ParameterException(
          spec.commandLine(), "a prompt is missing, expected PROMPT or --prompt-file");
    }
    if (prompt != null && file != null) {
      throw new ParameterException(
          spec.commandLine(), "PROMPT and --prompt-file=" + file + ", expected only one of them");
    }
    if (prompt != null && prompt.isEmpty()) {
      throw new ParameterException(spec.commandLine(), "PROMPT is empty, expected a text");
    }
  }

  String read() {
    if (prompt != null) {
      return prompt;
    }
    return file.equals(STDIN)
        ? TextFile.read("stdin", "the prompt", PromptOptions::readStdin)
        : TextFile.read(file, "the prompt");
  }

  private static byte[] readStdin() throws IOException {
    InputStream in = System.in;
    return in.readAllBytes();
  }
}
