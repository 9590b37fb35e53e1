package org.sinkq.contract;

/** The contract on the reference engine. */
class ReferenceContractTest extends EngineContract {
  @Override
  protected String engine() {
    return "reference";
  }
}
