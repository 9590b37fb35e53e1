package org.sinkq.cli;

import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import org.sinkq.SinkQException;
import org.sinkq.cli.models.ModelStoreException;
import org.sinkq.llm.InvalidModelException;
import org.sinkq.llm.safetensors.InvalidSafetensorsException;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** Turns exceptions into one line on stderr and an exit code. */
final class Errors {
  private Errors() {}

  /** The command line cannot be used: says what is wrong and where the help is. */
  static int usage(ParameterException e) {
    CommandLine command = e.getCommandLine();
    StringBuilder line = new StringBuilder(describe(e));
    if (e instanceof UnmatchedArgumentException unmatched) {
      List<String> close = unmatched.getSuggestions();
      if (!close.isEmpty()) {
        line.append(", did you mean ").append(String.join(" or ", close)).append('?');
      }
    }
    String name = command.getCommandSpec().qualifiedName();
    line.append("; see '").append(name).append(" --help'");
    print(command.getErr(), line.toString());
    return CommandLine.ExitCode.USAGE;
  }

  /** picocli's own words, except where they would puzzle. */
  private static String describe(ParameterException e) {
    CommandLine command = e.getCommandLine();
    if (e instanceof UnmatchedArgumentException unmatched
        && !command.getSubcommands().isEmpty()
        && !unmatched.isUnknownOption()) {
      return "'"
          + unmatched.getUnmatched().get(0)
          + "' is no command, expected one of "
          + String.join(", ", command.getSubcommands().keySet());
    }
    return oneLine(e.getMessage());
  }

  /** The command failed. */
  static int failure(Exception e, CommandLine command, boolean debug) {
    boolean explained =
        e instanceof CommandException
            || e instanceof SinkQException
            || e instanceof ModelStoreException
            || e instanceof InvalidModelException
            || e instanceof InvalidSafetensorsException;
    String message =
        explained
            ? oneLine(e.getMessage())
            : String.format(
                Locale.ROOT,
                "unexpected %s; run with --debug for the stack trace and report it",
                oneLine(e.toString()));
    print(command.getErr(), message);
    if (debug) {
      e.printStackTrace(command.getErr());
      command.getErr().flush();
    }
    return CommandLine.ExitCode.SOFTWARE;
  }

  private static void print(PrintWriter err, String message) {
    err.println("sinkq: " + message);
    err.flush();
  }

  private static String oneLine(String message) {
    return message.strip().replaceAll("\\s*\\R\\s*", " ");
  }
}
