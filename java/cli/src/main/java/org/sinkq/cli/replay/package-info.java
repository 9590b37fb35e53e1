/**
 * Runs a recorded trace through a cache.
 *
 * <pre>
 *   IN  q [T, Hq, D], k and v [T, Hkv, D]
 *        │
 *        ├──► cache under test ──► out, sinks ──► OUT
 *        │                          │
 *        └──► fp16 cache ───────────┴──► error
 * </pre>
 */
package org.sinkq.cli.replay;
