/**
 * The interface between bookkeeping and engines: the host owns indices, an engine owns bytes.
 *
 * <pre>
 *   EngineProvider   found by ServiceLoader: name, priority, probe, footprint
 *        │ open(CacheMemory: geometry, pages, sequence slots, masks)
 *        ▼
 *   Engine           begin(StepPlan) ─► EngineStep   run(layer, q, k, v, out) or append(layer, k, v) ... commit | rollback
 *                    copyRows, reopen                 fork, truncate
 *                    readPages, readRows, write...    save, restore: PageFormat, RowOrder
 *                    readPage, readWindowRow, ...     canonical order, for tests and tools
 * </pre>
 *
 * What all engines compute alike, bit for bit: fp16 rows; scale {@code s = (max - min) / (2^b - 1)}
 * in binary32 and minimum {@code z}, both rounded to fp16; {@code code = clamp(rint((x - z) / s),
 * 0, 2^b - 1)} in binary32 (0 where s is 0); masked tokens' codes 0. For fp16 rows s is at most
 * 43,680, so it is always finite, but {@code s * code + z} can exceed 65,504: a reopened page
 * clamps. A masked token's value scale is never read and may be anything. Attention itself may
 * round differently, within 1e-4 of fp64.
 *
 * <p>The contract suite in this module's test jar checks an engine by its name.
 */
package org.sinkq.engine;
