package org.sinkq.cuda.ptx;

import java.util.List;
import java.util.Map;

/**
 * A parsed module.
 *
 * @param version of the PTX language, 90 for 9.0
 * @param target such as {@code sm_90a}
 * @param variables of module scope
 */
record PtxModule(
    int version,
    String target,
    List<PtxVariable> variables,
    Map<String, PtxFunction> functions,
    List<String> sourceLines) {

  PtxFunction entry(String name) {
    PtxFunction function = functions.get(name);
    if (function == null || !function.entry()) {
      throw new IllegalArgumentException(
          "entry=" + name + ", expected one of " + new java.util.TreeSet<>(functions.keySet()));
    }
    return function;
  }
}
