package org.sinkq.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import org.sinkq.AttentionBackends;

/**
 * Prints the comparison tables that the README quotes, as Markdown.
 *
 * <pre>
 *   Tables [--quick] [--threads N] [TABLE ...]      memory, decode, step, plan, prefill; all by default
 * </pre>
 */
public final class Tables {
  private static final Map<String, Function<Effort, String>> ALL = new LinkedHashMap<>();

  static {
    ALL.put("memory", effort -> MemoryTable.markdown());
    ALL.put("decode", DecodeTable::markdown);
    ALL.put("step", StepTable::markdown);
    ALL.put("plan", PlanTable::markdown);
    ALL.put("prefill", PrefillTable::markdown);
  }

  private Tables() {}

  /** Runs the tables named, or all. */
  public static void main(String[] args) {
    boolean quick = false;
    int threads = Runtime.getRuntime().availableProcessors();
    List<String> names = new ArrayList<>();
    for (int i = 0; i < args.length; i++) {
      if (args[i].equals("--quick")) {
        quick = true;
      } else if (args[i].equals("--threads")
          && i + 1 < args.length
          && args[i + 1].matches("[1-9]\\d{0,2}")) {
        threads = Integer.parseInt(args[++i]);
      } else if (ALL.containsKey(args[i])) {
        names.add(args[i]);
      } else {
        System.err.println(
            "argument=" + args[i] + ", expected [--quick] [--threads N] " + ALL.keySet());
        System.exit(2);
      }
    }
    Effort effort = quick ? Effort.quick(threads) : Effort.full(threads);
    System.out.println(machine());
    for (String name : names.isEmpty() ? ALL.keySet() : names) {
      System.out.println(ALL.get(name).apply(effort));
    }
  }

  private static String machine() {
    return String.format(
        Locale.ROOT,
        "%s, %d processors, JDK %s, engine %s, %s%n",
        processor(),
        Runtime.getRuntime().availableProcessors(),
        Runtime.version(),
        AttentionBackends.probe().stream()
            .filter(s -> s.name().equals("cpu"))
            .map(s -> "cpu (" + s.description() + ")")
            .findFirst()
            .orElse("none"),
        LocalDate.now(ZoneOffset.UTC));
  }

  /** The processor's name where the system tells it, else the architecture. */
  private static String processor() {
    Path info = Path.of("/proc/cpuinfo");
    try {
      if (Files.isReadable(info)) {
        return Files.readAllLines(info).stream()
            .filter(line -> line.startsWith("model name"))
            .map(line -> Arrays.asList(line.split(":", 2)).getLast().strip())
            .findFirst()
            .orElse(System.getProperty("os.arch"));
      }
    } catch (IOException e) {
      System.err.println(info + ": " + e.getMessage());
    }
    return System.getProperty("os.arch");
  }
}
