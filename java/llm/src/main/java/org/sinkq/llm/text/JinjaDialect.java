package org.sinkq.llm.text;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Where chat templates are written for Jinja and Jinjava differs. */
final class JinjaDialect {
  /** {@code list[::-1]}, which Jinjava cannot parse. */
  private static final Pattern REVERSED = Pattern.compile("([\\w.]+)\\[::-1]");

  /** {@code f(name=list|length - 1)}, which Jinjava reads as {@code (name=list|length) - 1}. */
  private static final Pattern SUM_AS_ARGUMENT =
      Pattern.compile("(\\w+)=(\\w+\\|\\w+ [-+] \\w+)(?=[,)])");

  /** {@code for x in list if condition}, which Jinjava takes for an empty list. */
  private static final Pattern FILTERED_LOOP =
      Pattern.compile("\\{%-?\\s*for\\s[^%]*\\sif\\s[^%]*%}");

  private JinjaDialect() {}

  /** A template with the same meaning in Jinjava. */
  static String adapt(String source) {
    // Jinja drops one line end at the end of a template.
    String adapted = source.endsWith("\n") ? source.substring(0, source.length() - 1) : source;
    adapted = REVERSED.matcher(adapted).replaceAll("($1|reverse)");
    return SUM_AS_ARGUMENT.matcher(adapted).replaceAll("$1=($2)");
  }

  /** The first part of a template that would silently mean something else. */
  static Optional<String> unsupported(String source) {
    Matcher matcher = FILTERED_LOOP.matcher(source);
    return matcher.find() ? Optional.of(matcher.group()) : Optional.empty();
  }
}
