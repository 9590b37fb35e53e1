package org.sinkq.cli.eval;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

final class WindowTest {
  private static final int[] NONE = {};

  private static int[] text(int n) {
    return IntStream.range(100, 100 + n).toArray();
  }

  @Test
  void windowsWithoutOverlapPredictAllButTheirFirstTokens() {
    List<Window> windows = Window.cut(text(10), NONE, 4, 4);
    assertEquals(3, windows.size());
    assertArrayEquals(new int[] {100, 101, 102, 103}, windows.get(0).tokens());
    assertArrayEquals(new int[] {108, 109}, windows.get(2).tokens());
    assertEquals(List.of(1, 1, 1), windows.stream().map(Window::firstTarget).toList());
    assertEquals(7, windows.stream().mapToInt(Window::targets).sum());
  }

  @Test
  void aLastWindowOfOneTokenPredictsNothing() {
    assertEquals(2, Window.cut(text(9), NONE, 4, 4).size());
  }

  @Test
  void aPrefixMakesEveryTokenPredictable() {
    List<Window> windows = Window.cut(text(5), new int[] {7}, 4, 3);
    assertArrayEquals(new int[] {7, 100, 101, 102}, windows.get(0).tokens());
    assertArrayEquals(new int[] {7, 103, 104}, windows.get(1).tokens());
    assertEquals(5, windows.stream().mapToInt(Window::targets).sum());
  }

  @Test
  void withOverlapEveryTokenIsPredictedOnce() {
    SplittableRandom random = new SplittableRandom(3);
    for (int run = 0; run < 200; run++) {
      int tokens = random.nextInt(2, 200);
      int[] prefix = random.nextBoolean() ? NONE : new int[] {7};
      int context = random.nextInt(2 + prefix.length, 80);
      int stride = random.nextInt(1, context - prefix.length);
      int[] predicted = new int[tokens];
      for (Window window : Window.cut(text(tokens), prefix, context, stride)) {
        Arrays.stream(window.tokens(), window.firstTarget(), window.tokens().length)
            .forEach(token -> predicted[token - 100]++);
      }
      String what = "run " + run + ": " + tokens + ", " + context + ", " + stride;
      assertEquals(prefix.length, predicted[0], what);
      for (int i = 1; i < tokens; i++) {
        assertEquals(1, predicted[i], what + ", token " + i);
      }
    }
  }
}
