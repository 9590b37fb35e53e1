package org.sinkq.cuda;

import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.sinkq.cuda.ptx.PtxCase;
import org.sinkq.cuda.ptx.PtxCases;

/** What the interpreter gives for small programs, a GPU gives too. */
@Tag("gpu")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class DevicePtxTest {
  private CudaDevice device;

  static Stream<PtxCase> cases() {
    return PtxCases.all();
  }

  @BeforeAll
  void open() {
    device = new JcudaDevice(0);
  }

  @AfterAll
  void close() {
    device.close();
  }

  @ParameterizedTest
  @MethodSource("cases")
  void agreesWithTheDefinition(PtxCase one) {
    one.check(device);
  }
}
