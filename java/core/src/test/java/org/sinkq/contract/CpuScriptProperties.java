package org.sinkq.contract;

/** Random scripts on the CPU engine. */
class CpuScriptProperties extends ScriptContract {
  @Override
  protected String engine() {
    return "cpu";
  }
}
