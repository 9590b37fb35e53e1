package org.sinkq;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.module.ModuleDescriptor;
import java.lang.module.ModuleFinder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** Finding engines among broken ones. */
class AttentionBackendsTest {
  private static final BackendConfig CONFIG =
      BackendConfig.of(
          ModelShape.of(1, 1, 1, 64), KvCacheSpec.builder().capacityTokens(200).build());

  @Test
  void probeReportsWhatCannotBeLoaded() {
    Map<String, EngineStatus> byName = new TreeMap<>();
    List<EngineStatus> all = AttentionBackends.probe();
    all.forEach(status -> byName.put(status.name(), status));
    assertTrue(byName.get("cpu").available());
    assertTrue(byName.get("reference").available());
    assertEquals(
        new EngineStatus(
            "not-linked",
            false,
            "",
            "it cannot be loaded: java.lang.NoClassDefFoundError: libmissing",
            "check that all its libraries are present"),
        byName.get("not-linked"));
    List<EngineStatus> unknown = all.stream().filter(s -> s.name().equals("unknown")).toList();
    assertEquals(2, unknown.size(), unknown.toString());
    assertTrue(unknown.getFirst().reason().contains("NotConstructed"), unknown.toString());
    assertTrue(unknown.getLast().reason().contains("NoSuchEngine"), unknown.toString());
    assertFalse(unknown.getFirst().available());
    assertEquals("not-here", all.get(1).name(), "best first");
  }

  @Test
  void autoPassesOverWhatCannotRunAndSaysWhy() {
    try (AttentionBackend backend = AttentionBackends.open(CONFIG)) {
      EngineStatus status = backend.engine();
      assertEquals("cpu", status.name());
      assertTrue(
          status
              .reason()
              .startsWith(
                  "passed over not-linked: it cannot be loaded: java.lang.NoClassDefFoundError:"
                      + " libmissing (check that all its libraries are present); not-here: no such"
                      + " device (buy one); particular: headDim=64, expected 65 for this engine"),
          status.reason());
    }
  }

  @Test
  void anEngineAskedForByNameIsUsedOrRefused() {
    EngineUnavailableException e =
        assertThrows(
            EngineUnavailableException.class,
            () -> AttentionBackends.open(CONFIG.withEngine("not-here")));
    assertEquals("engine 'not-here' cannot run: no such device; buy one", e.getMessage());
    assertEquals("no such device", e.status().reason());
    assertThrows(
        EngineUnavailableException.class,
        () -> AttentionBackends.open(CONFIG.withEngine("not-linked")));
    InvalidArgumentException unknown =
        assertThrows(
            InvalidArgumentException.class, () -> AttentionBackends.open(CONFIG.withEngine("gpu")));
    assertTrue(
        unknown.getMessage().startsWith("engine=gpu, expected auto or one of [not-linked, "),
        unknown.getMessage());
    assertThrows(
        InvalidArgumentException.class, () -> AttentionBackends.requiredBytes(CONFIG, "gpu"));
    assertThrows(
        EngineUnavailableException.class, () -> AttentionBackends.requiredBytes(CONFIG, "unknown"));
  }

  @Test
  void threadsZeroIsOnePerProcessor() {
    try (AttentionBackend backend = AttentionBackends.open(CONFIG.withEngine("cpu"))) {
      assertEquals(0, backend.config().threads());
      try (AttentionPlan plan = backend.plan(AttentionMetadata.single(backend.newSequence(), 3))) {
        TensorView x = TensorView.of(new float[3 * 64], 3, 1, 64);
        plan.run(0, x, x, x, TensorView.of(new float[3 * 64], 3, 1, 64));
        plan.commit();
      }
    }
  }

  /** Users of the class path and of the module path find the same engines. */
  @Test
  void moduleAndServiceFileNameTheSameEngines() throws IOException {
    Path classes =
        Path.of(
            AttentionBackends.class.getProtectionDomain().getCodeSource().getLocation().getPath());
    ModuleDescriptor module =
        ModuleFinder.of(classes).find("org.sinkq.core").orElseThrow().descriptor();
    List<String> provided =
        module.provides().stream().flatMap(p -> p.providers().stream()).toList();
    assertEquals(
        provided,
        Files.readAllLines(classes.resolve("META-INF/services/org.sinkq.engine.EngineProvider")));
  }
}
