package org.sinkq.cli;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;
import org.sinkq.cli.models.ModelStore;
import org.sinkq.cli.models.PipDownloader;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The command without a subcommand. */
@Command(
    name = "sinkq",
    scope = ScopeType.INHERIT,
    mixinStandardHelpOptions = true,
    versionProvider = Sinkq.Version.class,
    description = "2-bit KV cache with dynamic sink tracking: try it on a model or on a trace.",
    synopsisSubcommandLabel = "COMMAND",
    sortOptions = false,
    usageHelpAutoWidth = true,
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {"0:done", "1:failed", "2:the command line cannot be used"},
    footerHeading = "%nExamples:%n",
    footer = {
      "  sinkq generate \"The history of the lighthouse\"",
      "  sinkq replay trace.safetensors out.safetensors --prompt 1024",
      "  sinkq doctor"
    })
final class Sinkq implements Runnable {
  @Spec private CommandSpec spec;

  @Option(
      names = "--debug",
      scope = ScopeType.INHERIT,
      description = "On failure print the stack trace as well.")
  private boolean debug;

  private Sinkq() {}

  static CommandLine commandLine(Environment environment) {
    return commandLine(environment, new ModelStore(environment.cacheFolder(), new PipDownloader()));
  }

  static CommandLine commandLine(Environment environment, ModelStore models) {
    Sinkq sinkq = new Sinkq();
    CommandLine line = new CommandLine(sinkq);
    line.addSubcommand(new GenerateCommand(environment, models));
    line.addSubcommand(new EvalCommand(environment, models));
    line.addSubcommand(new AnalyzeCommand(environment, models));
    line.addSubcommand(new ReplayCommand(environment));
    line.addSubcommand(new PlanCommand());
    CommandLine bench = new CommandLine(new BenchCommand());
    bench.addSubcommand(new ThroughputCommand(environment));
    line.addSubcommand(bench);
    line.addSubcommand(new DoctorCommand(models));
    line.addSubcommand(new CommandLine(new ModelsCommand(environment, models)));
    line.addSubcommand(new CompletionCommand());
    line.setColorScheme(
        CommandLine.Help.defaultColorScheme(environment.colour() ? Ansi.ON : Ansi.OFF));
    line.setParameterExceptionHandler((e, args) -> Errors.usage(e));
    line.setExecutionExceptionHandler(
        (e, command, result) -> Errors.failure(e, command, sinkq.debug));
    return line;
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "a command is missing");
  }

  /** The version of the build. */
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      return new String[] {"sinkq " + read()};
    }

    static String read() {
      try (InputStream in = Sinkq.class.getResourceAsStream("version.properties")) {
        Properties properties = new Properties();
        properties.load(in);
        return properties.getProperty("version");
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
