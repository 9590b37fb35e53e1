/**
 * Measures the CPU engine. Two ways in, one set of fixtures:
 *
 * <pre>
 *   Trace ──► FilledCache ──┬──► DecodeBenchmark, FlushBenchmark, PrefillBenchmark                     JMH
 *             StepBatch ────┼──► PlanBenchmark                                                         JMH
 *                           └──► DecodeTable, StepTable, PrefillTable, PlanTable ──► Tables            Markdown
 *             AttentionBackends.requiredBytes ──────────► MemoryTable ─────────────► Tables
 * </pre>
 *
 * <p>JMH measures one variant after the other, each in a fresh process: right for a change to the
 * code. {@link org.sinkq.bench.Tables} compares variants: it runs them alternately in one process,
 * A B A B, so that a machine that slows down slows them all, and reports medians of the ratios.
 */
package org.sinkq.bench;
