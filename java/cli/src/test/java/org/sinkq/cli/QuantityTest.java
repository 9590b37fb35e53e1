package org.sinkq.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ParameterException;

class QuantityTest {
  @Command(name = "x")
  private static final class Empty {}

  private static long parse(String text) {
    return Quantity.parse(new CommandLine(new Empty()), "--n", text, 0, Long.MAX_VALUE);
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0",
    "8192, 8192",
    "8K, 8192",
    "8k, 8192",
    "3M, 3145728",
    "76G, 81604378624",
    "76GB, 76000000000",
    "1KB, 1000",
    "5B, 5",
    "76000000000, 76000000000"
  })
  void unitsArePowersOf1024AndWithABOf1000(String text, long value) {
    assertEquals(value, parse(text));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "K", "B", "GB", "-1", "1.5G", "8KK", "1T", "9999999999G", "x8"})
  void anythingElseIsRefused(String text) {
    ParameterException e = assertThrows(ParameterException.class, () -> parse(text));
    assertEquals(
        "--n=" + text + ", expected 0 to 9223372036854775807, K, M and G allowed", e.getMessage());
  }
}
