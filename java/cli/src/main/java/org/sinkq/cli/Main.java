package org.sinkq.cli;

/** Entry point; {@code ./sinkq} starts it. */
public final class Main {
  private Main() {}

  /** Runs one command and exits with its code. */
  public static void main(String[] args) {
    Environment environment = Environment.of(System.getenv(), System.getProperties());
    int code = Sinkq.commandLine(environment).setErr(StandardError.writer()).execute(args);
    System.out.flush();
    System.exit(code);
  }
}
