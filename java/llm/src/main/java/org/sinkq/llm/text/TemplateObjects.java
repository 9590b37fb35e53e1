package org.sinkq.llm.text;

import com.hubspot.jinjava.JinjavaConfig;
import com.hubspot.jinjava.interpret.Context;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.fn.ELFunctionDefinition;
import com.hubspot.jinjava.objects.date.StrftimeFormatter;
import java.time.Instant;
import java.util.Optional;

/** The names that a chat template can use besides its variables. */
final class TemplateObjects {
  /** What a template raises, or what its author has to mend. */
  static final class TemplateException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    TemplateException(String message) {
      super(message);
    }
  }

  /** The global functions; public so that Jinjava may call them. */
  public static final class Functions {
    private Functions() {}

    /** Ends the rendering with a message of the template. */
    @SuppressWarnings("DoNotCallSuggester") // It is the template that calls.
    public static String raise(String message) {
      throw new TemplateException(message);
    }

    /** The local time in a format of C's strftime. */
    public static String now(String format) {
      JinjavaConfig config = JinjavaInterpreter.getCurrent().getConfig();
      Instant now = Instant.ofEpochMilli(config.getDateTimeProvider().getCurrentTimeMillis());
      return StrftimeFormatter.format(now.atZone(config.getTimeZone()), format);
    }
  }

  private TemplateObjects() {}

  static void registerFunctions(Context globals) {
    globals.registerFunction(
        new ELFunctionDefinition("", "raise_exception", Functions.class, "raise", String.class));
    globals.registerFunction(
        new ELFunctionDefinition("", "strftime_now", Functions.class, "now", String.class));
  }

  /**
   * The filters and tests that a rendering has used and that do not exist; Jinjava itself takes
   * them for nothing.
   */
  static Optional<String> unknownName(Context rendered) {
    return rendered.getResolvedValues().stream()
        .filter(name -> isUnknown(rendered, name))
        .map(name -> "unknown " + name.replace("exptest:", "test ").replace(':', ' '))
        .sorted()
        .findFirst();
  }

  private static boolean isUnknown(Context rendered, String name) {
    String bare = name.substring(name.indexOf(':') + 1);
    return (name.startsWith("filter:") && rendered.getFilter(bare) == null)
        || (name.startsWith("exptest:") && rendered.getExpTest(bare) == null);
  }
}
