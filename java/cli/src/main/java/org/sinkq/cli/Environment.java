package org.sinkq.cli;

import java.nio.file.Path;
import java.util.Map;
import java.util.Properties;

/**
 * What the commands read from outside their arguments; the only place that reads it.
 *
 * @param cacheFolder where fetched models are kept
 * @param outIsTerminal whether stdout is shown to a person
 * @param errIsTerminal whether stderr is shown to a person
 * @param colour whether help may be coloured
 * @param realStderr file descriptor that the launcher keeps the real stderr in, or 0 if it is where
 *     it belongs
 */
record Environment(
    Path cacheFolder,
    boolean outIsTerminal,
    boolean errIsTerminal,
    boolean colour,
    int realStderr) {
  /** Environment variable with the folder for fetched models. */
  static final String CACHE_VARIABLE = "SINKQ_CACHE";

  /**
   * System property that the launcher sets: which of {@code out} and {@code err} are terminals.
   * Java itself can only tell whether stdin and stdout both are.
   */
  static final String TERMINAL_PROPERTY = "sinkq.terminal";

  /** System property that the launcher sets to the descriptor of the real stderr. */
  static final String STDERR_PROPERTY = "sinkq.stderr";

  static Environment of(Map<String, String> variables, Properties properties) {
    String terminals = properties.getProperty(TERMINAL_PROPERTY, "");
    boolean out = terminals.contains("out");
    return new Environment(
        cacheFolder(variables, Path.of(properties.getProperty("user.home"))),
        out,
        terminals.contains("err"),
        out && value(variables, "NO_COLOR") == null && !"dumb".equals(variables.get("TERM")),
        Integer.parseInt(properties.getProperty(STDERR_PROPERTY, "0")));
  }

  private static Path cacheFolder(Map<String, String> variables, Path home) {
    String own = value(variables, CACHE_VARIABLE);
    if (own != null) {
      return Path.of(own).toAbsolutePath();
    }
    String xdg = value(variables, "XDG_CACHE_HOME");
    // The XDG specification tells to ignore relative paths.
    boolean usable = xdg != null && Path.of(xdg).isAbsolute();
    return (usable ? Path.of(xdg) : home.resolve(".cache")).resolve("sinkq");
  }

  private static String value(Map<String, String> variables, String name) {
    String value = variables.get(name);
    return value == null || value.isEmpty() ? null : value;
  }
}
