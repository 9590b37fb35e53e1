package org.sinkq.reference;

import org.sinkq.contract.EngineContract;

/** The contract on the reference engine. */
class ReferenceContractTest extends EngineContract {
  @Override
  protected String engine() {
    return "reference";
  }
}
