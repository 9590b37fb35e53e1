package org.sinkq.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** What becomes of a command's result: a table, a line of JSON, an HTML file. */
final class ReportOptions {
  /** A result in the three forms. */
  interface Report {
    /** For the terminal. */
    String table();

    /** The same for programs. */
    Map<String, Object> json();

    /** One file with tables and pictures. */
    String html();
  }

  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Option(
      names = "--report",
      paramLabel = "FILE.html",
      description = "Write tables and pictures as one HTML file; an existing one is replaced.")
  private Path file;

  @Option(names = "--json", description = "Print the result as one line of JSON.")
  private boolean json;

  /** Finds out before the work whether the file has a place to go. */
  void check() {
    if (file != null) {
      OutputFile.check(file, "--report");
    }
  }

  /** Prints the result, and writes the file if one is wanted. */
  void print(Report report) {
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      out.println(Json.line(report.json()));
    } else {
      out.print(report.table());
    }
    if (file != null) {
      OutputFile.write(file, report.html());
      if (!json) {
        out.printf("wrote %s%n", file);
      }
    }
    out.flush();
  }
}
