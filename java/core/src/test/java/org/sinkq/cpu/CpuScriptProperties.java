package org.sinkq.cpu;

import org.sinkq.contract.ScriptContract;

/** Random scripts on the CPU engine. */
class CpuScriptProperties extends ScriptContract {
  @Override
  protected String engine() {
    return "cpu";
  }
}
