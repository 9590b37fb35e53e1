package org.sinkq.cuda;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectPackage;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectUniqueId;
import static org.junit.platform.launcher.TagFilter.includeTags;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.TestSource;
import org.junit.platform.engine.support.descriptor.ClassSource;
import org.junit.platform.engine.support.descriptor.MethodSource;
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

  /** What to run, by names such as Outer.Inner, for classes without inner ones. */
  private final Map<String, List<DiscoverySelector>> classes = new TreeMap<>();

  /**
   * What to run, by names such as Outer.Inner.method: more than one where a method is overloaded.
   */
  private final Map<String, List<DiscoverySelector>> tests = new TreeMap<>();

  private DeviceCheck(String tag) {
    this.tag = tag;
  }

  /**
   * Runs tests by their tag; exits with 1 if one fails or none ran.
   *
   * @param args the tag, gpu unless it is gpus for what needs two of them; then names of test
   *     classes, such as CudaLengthTest or CudaContractTest.Attention, and of single tests, such as
   *     CudaGraphTest.massesGrowAlike, all of them unless there are any; a parameterized test and a
   *     property go as a whole by the name of their method. With --list it only prints names: of
   *     the classes, or of the tests of the classes beside it
   */
  public static void main(String[] args) {
    boolean tagged = args.length > 0 && args[0].startsWith("gpu");
    DeviceCheck check = new DeviceCheck(tagged ? args[0] : "gpu");
    List<String> names = Arrays.asList(args).subList(tagged ? 1 : 0, args.length);
    System.exit(check.run(names));
  }

  private int run(List<String> arguments) {
    discover();
    boolean list = arguments.contains(LIST);
    List<String> names = arguments.stream().filter(name -> !name.equals(LIST)).toList();
    for (String name : names) {
      if (!classes.containsKey(name) && (list || !tests.containsKey(name))) {
        List<String> siblings = list ? List.of() : testsOf(classOf(name));
        System.err.printf(
            "check: test %s, expected one of %s%n",
            name, siblings.isEmpty() ? classes.keySet() : siblings);
        return USAGE;
      }
    }
    if (list) {
      Stream<String> found = names.stream().distinct().flatMap(name -> testsOf(name).stream());
      (names.isEmpty() ? classes.keySet().stream() : found).forEach(out::println);
      return 0;
    }
    out.println(new CudaEngineProvider().probe());
    SummaryGeneratingListener listener = new SummaryGeneratingListener();
    LauncherDiscoveryRequestBuilder request =
        request(
            names.isEmpty()
                ? packages()
                : names.stream()
                    .flatMap(name -> classes.getOrDefault(name, tests.get(name)).stream())
                    .toList());
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

  private void discover() {
    TestPlan plan = launcher.discover(request(packages()).build());
    for (TestIdentifier root : plan.getRoots()) {
      add(plan, root, "");
    }
  }

  private void add(TestPlan plan, TestIdentifier parent, String prefix) {
    for (TestIdentifier child : plan.getChildren(parent)) {
      TestSource source = child.getSource().orElse(null);
      if (source instanceof ClassSource type) {
        String name = prefix + type.getJavaClass().getSimpleName();
        int before = classes.size();
        add(plan, child, name + ".");
        if (classes.size() == before) {
          put(classes, name, child);
        }
      } else if (source instanceof MethodSource method) {
        put(tests, prefix + method.getMethodName(), child);
      }
    }
  }

  private static void put(
      Map<String, List<DiscoverySelector>> to, String name, TestIdentifier test) {
    to.computeIfAbsent(name, n -> new ArrayList<>()).add(selectUniqueId(test.getUniqueId()));
  }

  private static String classOf(String test) {
    return test.substring(0, Math.max(0, test.lastIndexOf('.')));
  }

  private List<String> testsOf(String type) {
    return tests.keySet().stream().filter(test -> classOf(test).equals(type)).toList();
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
