package org.sinkq.cli;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import org.sinkq.cli.models.ModelStore;
import org.sinkq.cli.models.ModelStores;
import picocli.CommandLine;

/** Runs a command as {@code main} does, and keeps what it prints. */
record Cli(int code, String out, String err) {
  static Cli run(String... args) {
    return run(ModelStores.unreachable(Path.of("absent")), args);
  }

  static Cli run(ModelStore models, String... args) {
    Environment environment = new Environment(Path.of("absent"), false, false, false, 0);
    CommandLine line = Sinkq.commandLine(environment, models);
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    line.setOut(new PrintWriter(out)).setErr(new PrintWriter(err));
    int code = line.execute(args);
    return new Cli(code, out.toString(), err.toString());
  }
}
