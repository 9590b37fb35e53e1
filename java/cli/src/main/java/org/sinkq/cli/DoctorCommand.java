package org.sinkq.cli;

import com.sun.management.OperatingSystemMXBean;
import java.io.PrintWriter;
import java.lang.management.ManagementFactory;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.sinkq.AttentionBackends;
import org.sinkq.EngineStatus;
import org.sinkq.cli.models.ModelStore;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** What works on this machine. */
@Command(
    name = "doctor",
    description = {
      "Show what works here: every engine and why it cannot run, Java, processors, memory, model.",
      "",
      "Exits with 0 if at least one engine runs.",
      ""
    },
    footer = {"  sinkq doctor", "  sinkq doctor --json | jq .engines"})
final class DoctorCommand implements Callable<Integer> {
  private final ModelStore store;

  @Spec private CommandSpec spec;

  @Option(names = "--json", description = "Print one line of JSON.")
  private boolean json;

  DoctorCommand(ModelStore store) {
    this.store = store;
  }

  @Override
  public Integer call() {
    List<EngineStatus> engines = AttentionBackends.probe();
    PrintWriter out = spec.commandLine().getOut();
    if (json) {
      out.println(Json.line(report(engines)));
    } else {
      print(out, engines);
    }
    out.flush();
    boolean runs = engines.stream().anyMatch(EngineStatus::available);
    return runs ? ExitCode.OK : ExitCode.SOFTWARE;
  }

  private void print(PrintWriter out, List<EngineStatus> engines) {
    for (EngineStatus engine : engines) {
      String state = engine.available() ? "runs: " + engine.description() : "cannot run";
      out.printf("engine      %s %s%n", engine.name(), state);
      if (!engine.reason().isEmpty()) {
        out.printf("            because %s%n", engine.reason());
      }
      if (!engine.remedy().isEmpty()) {
        out.printf("            to do: %s%n", engine.remedy());
      }
    }
    out.printf("java        %s, %s%n", Runtime.version(), System.getProperty("java.home"));
    out.printf(
        "processors  %d (%s, %s)%n",
        Runtime.getRuntime().availableProcessors(),
        System.getProperty("os.name"),
        System.getProperty("os.arch"));
    out.printf(
        "memory      %s, %s of it free; Java heap up to %s%n",
        Text.bytes(machine().getTotalMemorySize()),
        Text.bytes(machine().getFreeMemorySize()),
        Text.bytes(Runtime.getRuntime().maxMemory()));
    out.printf("model       %s%n", ModelsCommand.describe(store));
  }

  private Map<String, Object> report(List<EngineStatus> engines) {
    Map<String, Object> report = new LinkedHashMap<>();
    report.put("version", Sinkq.Version.read());
    report.put("engines", engines.stream().map(DoctorCommand::report).toList());
    report.put("java", Runtime.version().toString());
    report.put("javaHome", System.getProperty("java.home"));
    report.put("os", System.getProperty("os.name") + " " + System.getProperty("os.arch"));
    report.put("processors", Runtime.getRuntime().availableProcessors());
    report.put("memoryBytes", machine().getTotalMemorySize());
    report.put("freeMemoryBytes", machine().getFreeMemorySize());
    report.put("maxHeapBytes", Runtime.getRuntime().maxMemory());
    report.put("model", store.path().toString());
    report.put("modelState", store.state().name().toLowerCase(Locale.ROOT));
    return report;
  }

  private static Map<String, Object> report(EngineStatus engine) {
    Map<String, Object> report = new LinkedHashMap<>();
    report.put("name", engine.name());
    report.put("available", engine.available());
    report.put("description", engine.description());
    report.put("reason", engine.reason());
    report.put("remedy", engine.remedy());
    return report;
  }

  private static OperatingSystemMXBean machine() {
    return ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
  }
}
