package org.sinkq.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import picocli.CommandLine;

/** Entry point; {@code ./sinkq} starts it. */
public final class Main {
  private Main() {}

  /** Runs one command and exits with its code. */
  public static void main(String[] args) {
    Environment environment = Environment.of(System.getenv(), System.getProperties());
    // Not System.out, which hides that nobody reads any more.
    PrintWriter out =
        new PrintWriter(
            new OutputStreamWriter(
                new FileOutputStream(FileDescriptor.out), StandardCharsets.UTF_8));
    CommandLine line = Sinkq.commandLine(environment);
    line.setOut(out).setErr(StandardError.writer(environment.realStderr()));
    int code = line.execute(args);
    out.flush();
    System.exit(code);
  }
}
