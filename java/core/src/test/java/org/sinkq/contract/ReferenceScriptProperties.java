package org.sinkq.contract;

/** Random scripts on the reference engine. */
class ReferenceScriptProperties extends ScriptContract {
  @Override
  protected String engine() {
    return "reference";
  }
}
