package org.sinkq.cuda;

import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.sinkq.contract.AttentionContract;
import org.sinkq.contract.BatchContract;

/** Attention that is cut into as many ranges as for a large GPU, on the interpreter. */
class InterpretedManySmsTest {
  private static final String ENGINE = InterpretedEngineProvider.LikeH100.NAME;

  @Nested
  @Execution(ExecutionMode.CONCURRENT)
  class Attention extends AttentionContract {
    @Override
    protected String engine() {
      return ENGINE;
    }
  }

  @Nested
  @Execution(ExecutionMode.CONCURRENT)
  class Batch extends BatchContract {
    @Override
    protected String engine() {
      return ENGINE;
    }
  }

  @Nested
  @Execution(ExecutionMode.CONCURRENT)
  class Lengths extends LengthContract {
    @Override
    String engine() {
      return ENGINE;
    }
  }
}
