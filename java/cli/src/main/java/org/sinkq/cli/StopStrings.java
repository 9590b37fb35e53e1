package org.sinkq.cli;

import java.util.List;
import java.util.function.Consumer;

/**
 * Passes text on up to the first of some strings. Text that may be the beginning of one is held
 * back until that is decided.
 */
final class StopStrings {
  private final List<String> stops;
  private final Consumer<String> to;
  private final StringBuilder held = new StringBuilder();
  private boolean found;

  StopStrings(List<String> stops, Consumer<String> to) {
    this.stops = List.copyOf(stops);
    this.to = to;
  }

  void accept(String text) {
    if (found) {
      return;
    }
    held.append(text);
    int end = firstStop();
    if (end >= 0) {
      found = true;
      pass(end);
      held.setLength(0);
    } else {
      pass(held.length() - undecided());
    }
  }

  /** No more text comes: passes on what is held back. */
  void finish() {
    pass(held.length());
  }

  /** Whether one of the strings has come. */
  boolean isFound() {
    return found;
  }

  private void pass(int length) {
    if (length > 0) {
      to.accept(held.substring(0, length));
      held.delete(0, length);
    }
  }

  private int firstStop() {
    int first = -1;
    for (String stop : stops) {
      int at = held.indexOf(stop);
      if (at >= 0 && (first < 0 || at < first)) {
        first = at;
      }
    }
    return first;
  }

  /** Length of the longest end of the text that some string begins with. */
  private int undecided() {
    int longest = 0;
    for (String stop : stops) {
      for (int n = Math.min(stop.length() - 1, held.length()); n > longest; n--) {
        if (stop.startsWith(held.substring(held.length() - n))) {
          longest = n;
        }
      }
    }
    return longest;
  }
}
