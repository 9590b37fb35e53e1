package org.sinkq.llm.text;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.IntConsumer;

/**
 * Finds the tokens that are matched as text before anything else is split: control tokens where the
 * caller asks for it, user-defined ones always. At each position the longest one counts.
 */
final class SpecialTokens {
  private record Special(String text, int id, boolean control) {}

  /** By first character, the longest first. */
  private final Map<Character, List<Special>> byFirst = new HashMap<>();

  SpecialTokens(Vocabulary vocabulary) {
    for (int id = 0; id < vocabulary.size(); id++) {
      boolean control = vocabulary.isControl(id);
      String text = vocabulary.text(id);
      if ((control || vocabulary.isUserDefined(id)) && !text.isEmpty()) {
        byFirst
            .computeIfAbsent(text.charAt(0), c -> new ArrayList<>())
            .add(new Special(text, id, control));
      }
    }
    byFirst.values().forEach(list -> list.sort(Comparator.comparing(s -> -s.text().length())));
  }

  /**
   * Passes on the parts of a text, in order.
   *
   * @param withControl whether control tokens are matched, too
   * @param plain takes what lies between special tokens, never empty
   * @param special takes the ids of the special tokens
   */
  void split(String text, boolean withControl, Consumer<String> plain, IntConsumer special) {
    int start = 0;
    for (int at = 0; at < text.length(); ) {
      Special found = match(text, at, withControl);
      if (found == null) {
        at++;
        continue;
      }
      if (at > start) {
        plain.accept(text.substring(start, at));
      }
      special.accept(found.id());
      at += found.text().length();
      start = at;
    }
    if (start < text.length()) {
      plain.accept(text.substring(start));
    }
  }

  private Special match(String text, int at, boolean withControl) {
    for (Special candidate : byFirst.getOrDefault(text.charAt(at), List.of())) {
      if ((withControl || !candidate.control()) && text.startsWith(candidate.text(), at)) {
        return candidate;
      }
    }
    return null;
  }
}
