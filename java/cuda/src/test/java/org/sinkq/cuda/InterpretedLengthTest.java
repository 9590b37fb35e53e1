package org.sinkq.cuda;

import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/** On the interpreter. */
class InterpretedLengthTest {
  @Nested
  @Execution(ExecutionMode.CONCURRENT)
  class TwoSms extends LengthContract {
    @Override
    String engine() {
      return InterpretedEngineProvider.NAME;
    }
  }

  @Nested
  @Execution(ExecutionMode.CONCURRENT)
  class LikeH100 extends LengthContract {
    @Override
    String engine() {
      return InterpretedEngineProvider.LikeH100.NAME;
    }
  }
}
