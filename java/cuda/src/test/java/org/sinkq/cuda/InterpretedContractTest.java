package org.sinkq.cuda;

import org.sinkq.contract.EngineContract;

/** The contract on the interpreted device. */
class InterpretedContractTest extends EngineContract {
  @Override
  protected String engine() {
    return InterpretedEngineProvider.NAME;
  }
}
