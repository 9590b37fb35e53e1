package org.sinkq.cuda;

import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/** On the interpreter. */
@Execution(ExecutionMode.CONCURRENT)
class InterpretedLengthTest extends LengthContract {
  @Override
  String engine() {
    return InterpretedEngineProvider.NAME;
  }
}
