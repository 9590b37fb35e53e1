package org.sinkq.llm.text;

import com.hubspot.jinjava.el.ext.JinjavaBeanELResolver;
import com.hubspot.jinjava.el.ext.JinjavaListELResolver;
import com.hubspot.jinjava.lib.exptest.ExpTest;
import com.hubspot.jinjava.lib.filter.Filter;
import com.hubspot.jinjava.util.ForLoop;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import jinjava.javax.el.CompositeELResolver;
import jinjava.javax.el.ELContext;
import jinjava.javax.el.ELResolver;
import jinjava.javax.el.MapELResolver;

/**
 * Calls of methods in a chat template: strings have those of Python, lists, maps and loops what
 * Jinjava gives them, and nothing else can be called.
 */
final class PythonStrings extends JinjavaBeanELResolver {
  private static final boolean READ_ONLY = true;

  private PythonStrings() {
    super(READ_ONLY);
  }

  /** Resolves members of everything that a template can get hold of. */
  static ELResolver resolver() {
    CompositeELResolver resolver = new CompositeELResolver();
    resolver.add(new JinjavaListELResolver(READ_ONLY));
    resolver.add(new MapELResolver(READ_ONLY));
    resolver.add(new PythonStrings());
    return resolver;
  }

  @Override
  public Object getValue(ELContext context, Object base, Object property) {
    return isOpen(base) ? super.getValue(context, base, property) : null;
  }

  /** What Jinjava itself made or wrapped; every other object has no members. */
  private static boolean isOpen(Object base) {
    return base instanceof Map || base instanceof Collection || base instanceof ForLoop;
  }

  @Override
  public Object invoke(
      ELContext context, Object base, Object method, Class<?>[] types, Object[] args) {
    // Jinjava applies filters and tests as methods of their objects.
    if (isOpen(base) || base instanceof Filter || base instanceof ExpTest) {
      return super.invoke(context, base, method, types, args);
    }
    if (base instanceof String text && Arrays.stream(args).allMatch(String.class::isInstance)) {
      Object result =
          call(text, method.toString(), Arrays.copyOf(args, args.length, String[].class));
      if (result != null) {
        context.setPropertyResolved(true);
        return result;
      }
    }
    throw new TemplateObjects.TemplateException(
        "no method '" + method + "' that takes " + args.length + " such arguments");
  }

  /** The result, or null if there is no such method for so many arguments. */
  private static Object call(String text, String method, String[] args) {
    return switch (args.length) {
      case 0 ->
          switch (method) {
            case "strip" -> text.strip();
            case "lstrip" -> text.stripLeading();
            case "rstrip" -> text.stripTrailing();
            case "lower" -> text.toLowerCase(Locale.ROOT);
            case "upper" -> text.toUpperCase(Locale.ROOT);
            case "split" -> text.isBlank() ? List.of() : List.of(text.strip().split("\\s+"));
            default -> null;
          };
      case 1 ->
          switch (method) {
            case "strip" -> strip(text, args[0], true, true);
            case "lstrip" -> strip(text, args[0], true, false);
            case "rstrip" -> strip(text, args[0], false, true);
            case "startswith" -> text.startsWith(args[0]);
            case "endswith" -> text.endsWith(args[0]);
            case "split" -> List.of(text.split(Pattern.quote(args[0]), -1));
            default -> null;
          };
      case 2 -> method.equals("replace") ? text.replace(args[0], args[1]) : null;
      default -> null;
    };
  }

  /** Takes characters of a set away from the ends. */
  private static String strip(String text, String set, boolean left, boolean right) {
    int start = 0;
    int end = text.length();
    while (left && start < end && set.indexOf(text.charAt(start)) >= 0) {
      start++;
    }
    while (right && start < end && set.indexOf(text.charAt(end - 1)) >= 0) {
      end--;
    }
    return text.substring(start, end);
  }
}
