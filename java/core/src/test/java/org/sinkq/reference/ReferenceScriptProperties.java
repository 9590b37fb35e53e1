package org.sinkq.reference;

import org.sinkq.contract.ScriptContract;

/** Random scripts on the reference engine. */
class ReferenceScriptProperties extends ScriptContract {
  @Override
  protected String engine() {
    return "reference";
  }
}
