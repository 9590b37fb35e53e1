/**
 * How many sequences fit on a GPU, and how fast they decode, without having that GPU.
 *
 * <pre>
 *   DecoderShape  weights, attention geometry ──┬─► CapacityPlanner ─► bytes, sequences
 *   KvCacheSpec   format of the cache ──────────┤        └─► AttentionBackends.requiredBytes  the engine's own count
 *   Gpu           memory, rates ────────────────┴─► StepPredictor ──► StepTime
 * </pre>
 *
 * Bytes are exact: they are what the engine itself allocates. Times are a model with few constants,
 * measured where {@link org.sinkq.cli.plan.Gpu#isMeasured()} says so and scaled by data sheets
 * elsewhere.
 */
package org.sinkq.cli.plan;
