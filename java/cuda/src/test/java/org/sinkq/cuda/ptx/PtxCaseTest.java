package org.sinkq.cuda.ptx;

import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The interpreter on the programs that a GPU is held to as well. */
final class PtxCaseTest {
  private static final InterpretedDevice DEVICE = InterpretedDevice.hopper(3);

  static Stream<PtxCase> cases() {
    return PtxCases.all();
  }

  @AfterAll
  static void close() {
    DEVICE.close();
  }

  @ParameterizedTest
  @MethodSource("cases")
  void agreesWithTheDefinition(PtxCase one) {
    one.check(DEVICE);
  }
}
