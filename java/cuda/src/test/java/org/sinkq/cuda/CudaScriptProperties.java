package org.sinkq.cuda;

import net.jqwik.api.Tag;
import org.sinkq.contract.ScriptContract;

/** Random scripts on a GPU. */
@Tag("gpu")
class CudaScriptProperties extends ScriptContract {
  @Override
  protected String engine() {
    return CudaEngineProvider.NAME;
  }
}
