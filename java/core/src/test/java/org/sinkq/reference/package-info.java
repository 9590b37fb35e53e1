/**
 * The method once more, scalar and in fp64, for tests: slow and obviously right. Nothing here uses
 * the CPU engine.
 *
 * <pre>
 *   ReferenceHead     state of one (sequence, layer, KV head) as lists of tokens: the oracle, which
 *                     knows no page ids, slots or rings
 *   ReferenceEngine   the same arithmetic behind the engine interface, driven by the bookkeeping
 *   Quantization      scale, minimum, codes of one page          both use these two
 *   Softmax           one query over any set of tokens
 * </pre>
 */
package org.sinkq.reference;
