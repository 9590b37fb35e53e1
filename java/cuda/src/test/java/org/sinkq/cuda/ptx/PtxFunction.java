package org.sinkq.cuda.ptx;

import java.util.List;
import java.util.Map;

/**
 * An {@code .entry} or {@code .func}, its scopes flattened: registers are numbered through, labels
 * of inner scopes renamed.
 *
 * @param registers type of each register
 * @param variables declared inside, parameters of calls included
 * @param labels index of the instruction behind each label
 * @param branchTargets the lists that {@code brx.idx} selects from
 * @param maxThreads {@code .maxntid} or {@code .reqntid} multiplied out, or 0
 */
record PtxFunction(
    String name,
    boolean entry,
    List<PtxVariable> params,
    List<PtxVariable> returns,
    List<PtxType> registers,
    List<PtxVariable> variables,
    List<PtxInstruction> code,
    Map<String, Integer> labels,
    Map<String, List<String>> branchTargets,
    int maxThreads,
    int line) {}
