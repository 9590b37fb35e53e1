/**
 * Decode throughput of a whole model on a GPU, cache against cache.
 *
 * <pre>
 *   Target   the device ──► CapacityPlanner   sequences that fit in the memory
 *   Weights  random or of a file, on the device once
 *      │
 *   ThroughputRun   each context, each cache
 *      └─► Session  a backend full of sequences ──► Measurement of each batch
 *            ├─ Lengths    that differ, and grow to the context
 *            ├─ CacheFill  AttentionPlan.append of rows with outlier channels and sinks
 *            ├─ DecodeLoop whole steps, or parts of them, as CUDA graphs   org.sinkq.llm.model
 *            └─ Clock      events behind every step
 * </pre>
 */
package org.sinkq.cli.throughput;
