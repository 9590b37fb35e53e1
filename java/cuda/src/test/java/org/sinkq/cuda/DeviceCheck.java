package org.sinkq.cuda;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectPackage;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectUniqueId;
import static org.junit.platform.launcher.TagFilter.includeTags;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.support.descriptor.ClassSource;
import org.junit.platform.launcher.Launcher;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;
import org.junit.platform.launcher.listeners.TestExecutionSummary;

/**
 * Runs the device tests from the GPU bundle, where there is no Maven.
 *
 * <p>With {@code -Dsinkq.check.progress=true} every test that has run is a line.
 */
public final class DeviceCheck {
  private static final int MOST_FAILURES = 40;
  private static final int USAGE = 2;
  private static final String LIST = "--list";

  private final Launcher launcher = LauncherFactory.create();
  private final PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
  private final String tag;

  private DeviceCheck(String tag) {
    this.tag = tag;
  }

  /**
   * Runs tests by their tag; exits with 1 if one fails or none ran.
   *
   * @param args the tag, gpu unless it is gpus for what needs two of them; then names of test
   *     classes, such as CudaLengthTest or CudaContractTest.Attention, all of them unless there are
   *     any, or --list to print the names
   */
  public static void main(String[] args) {
    boolean tagged = args.length > 0 && args[0].startsWith("gpu");
    DeviceCheck check = new DeviceCheck(tagged ? args[0] : "gpu");
    List<String> names = Arrays.asList(args).subList(tagged ? 1 : 0, args.length);
    System.exit(check.run(names));
  }

  private int run(List<String> names) {
    Map<String, String> classes = classes();
    if (names.contains(LIST)) {
      classes.keySet().forEach(out::println);
      return 0;
    }
    for (String name : names) {
      if (!classes.containsKey(name)) {
        System.err.println("check: test " + name + ", expected one of " + classes.keySet());
        return USAGE;
      }
    }
    out.println(new CudaEngineProvider().probe());
    SummaryGeneratingListener listener = new SummaryGeneratingListener();
    LauncherDiscoveryRequestBuilder request =
        request(
            names.isEmpty()
                ? packages()
                : names.stream().map(name -> selectUniqueId(classes.get(name))).toList());
    if (Boolean.getBoolean("sinkq.check.progress")) {
      launcher.execute(request.build(), listener, new Progress());
    } else {
      launcher.execute(request.build(), listener);
    }
    TestExecutionSummary summary = listener.getSummary();
    summary.getFailures().stream()
        .limit(MOST_FAILURES)
        .forEach(
            f ->
                out.println(
                    "FAILED " + f.getTestIdentifier().getUniqueId() + "\n  " + f.getException()));
    summary.printTo(out);
    return summary.getTestsSucceededCount() > 0 && summary.getTotalFailureCount() == 0 ? 0 : 1;
  }

  private static List<? extends DiscoverySelector> packages() {
    return List.of(selectPackage("org.sinkq.cuda"), selectPackage("org.sinkq.llm"));
  }

  private LauncherDiscoveryRequestBuilder request(List<? extends DiscoverySelector> selectors) {
    return LauncherDiscoveryRequestBuilder.request().selectors(selectors).filters(includeTags(tag));
  }

  /** Unique identifiers of the classes without inner ones, by names such as Outer.Inner. */
  private Map<String, String> classes() {
    Map<String, String> found = new TreeMap<>();
    TestPlan plan = launcher.discover(request(packages()).build());
    for (TestIdentifier root : plan.getRoots()) {
      addClasses(plan, root, "", found);
    }
    return found;
  }

  private static void addClasses(
      TestPlan plan, TestIdentifier parent, String prefix, Map<String, String> found) {
    for (TestIdentifier child : plan.getChildren(parent)) {
      if (child.getSource().orElse(null) instanceof ClassSource source) {
        String name = prefix + source.getJavaClass().getSimpleName();
        int before = found.size();
        addClasses(plan, child, name + ".", found);
        if (found.size() == before) {
          found.put(name, child.getUniqueId());
        }
      }
    }
  }

  /** A line for each test that has ended. */
  private final class Progress implements TestExecutionListener {
    private int count;

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
      if (test.isTest()) {
        count++;
        out.println("test " + count + ", " + test.getDisplayName() + ": " + result.getStatus());
      }
    }
  }
}
