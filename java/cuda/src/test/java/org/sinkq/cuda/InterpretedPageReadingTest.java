package org.sinkq.cuda;

import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/** On the interpreter. */
@Execution(ExecutionMode.CONCURRENT)
class InterpretedPageReadingTest extends PageReadingContract {
  @Override
  CudaDevice device() {
    return InterpretedEngineProvider.device();
  }
}
