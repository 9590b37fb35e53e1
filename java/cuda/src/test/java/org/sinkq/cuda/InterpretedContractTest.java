package org.sinkq.cuda;

import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.sinkq.contract.EngineContract;

/** The contract on the interpreted device. */
@Execution(ExecutionMode.CONCURRENT)
class InterpretedContractTest extends EngineContract {
  @Override
  protected String engine() {
    return InterpretedEngineProvider.NAME;
  }
}
