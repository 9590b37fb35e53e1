package org.sinkq.cuda;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectPackage;
import static org.junit.platform.launcher.TagFilter.includeTags;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;
import org.junit.platform.launcher.listeners.TestExecutionSummary;

/** Runs the device tests from the GPU bundle, where there is no Maven. */
public final class DeviceCheck {
  private static final int MOST_FAILURES = 40;

  private DeviceCheck() {}

  /**
   * Runs every test that is tagged gpu; exits with 1 if one fails or none ran.
   *
   * @param args another tag, such as gpus for what needs two of them
   */
  public static void main(String[] args) {
    System.out.println(new CudaEngineProvider().probe());
    LauncherDiscoveryRequest request =
        LauncherDiscoveryRequestBuilder.request()
            .selectors(selectPackage("org.sinkq.cuda"), selectPackage("org.sinkq.llm"))
            .filters(includeTags(args.length == 0 ? "gpu" : args[0]))
            .build();
    SummaryGeneratingListener listener = new SummaryGeneratingListener();
    LauncherFactory.create().execute(request, listener);
    TestExecutionSummary summary = listener.getSummary();
    PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
    summary.getFailures().stream()
        .limit(MOST_FAILURES)
        .forEach(
            f ->
                out.println(
                    "FAILED " + f.getTestIdentifier().getUniqueId() + "\n  " + f.getException()));
    summary.printTo(out);
    boolean passed = summary.getTestsSucceededCount() > 0 && summary.getTotalFailureCount() == 0;
    System.exit(passed ? 0 : 1);
  }
}
