package org.sinkq.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.Map;
import java.util.Properties;
import org.junit.jupiter.api.Test;

final class EnvironmentTest {
  @Test
  void theCacheFolderHasThreePlacesInTurn() {
    assertEquals(Path.of("/own"), folder(Map.of("SINKQ_CACHE", "/own", "XDG_CACHE_HOME", "/xdg")));
    assertEquals(Path.of("/xdg/sinkq"), folder(Map.of("XDG_CACHE_HOME", "/xdg")));
    assertEquals(Path.of("/home/me/.cache/sinkq"), folder(Map.of()));
  }

  @Test
  void emptyVariablesAndRelativeXdgPathsDoNotCount() {
    assertEquals(
        Path.of("/home/me/.cache/sinkq"),
        folder(Map.of("SINKQ_CACHE", "", "XDG_CACHE_HOME", "relative")));
  }

  @Test
  void onlyATerminalIsColoured() {
    assertFalse(environment(Map.of(), "").colour());
    assertFalse(environment(Map.of(), ",err").colour());
    assertTrue(environment(Map.of(), "out,err").colour());
    assertFalse(environment(Map.of("NO_COLOR", "1"), "out").colour());
    assertFalse(environment(Map.of("TERM", "dumb"), "out").colour());
    assertTrue(environment(Map.of(), ",err").errIsTerminal());
  }

  @Test
  void stderrIsInItsPlaceUnlessTheLauncherSaysOtherwise() {
    assertEquals(0, environment(Map.of(), "").realStderr());
    Properties properties = new Properties();
    properties.setProperty("user.home", "/home/me");
    properties.setProperty(Environment.STDERR_PROPERTY, "3");
    assertEquals(3, Environment.of(Map.of(), properties).realStderr());
  }

  private static Path folder(Map<String, String> variables) {
    return environment(variables, "").cacheFolder();
  }

  private static Environment environment(Map<String, String> variables, String terminals) {
    Properties properties = new Properties();
    properties.setProperty("user.home", "/home/me");
    properties.setProperty(Environment.TERMINAL_PROPERTY, terminals);
    return Environment.of(variables, properties);
  }
}
