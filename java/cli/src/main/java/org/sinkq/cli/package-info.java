/**
 * The {@code sinkq} command.
 *
 * <pre>
 *   Main ──► Sinkq (picocli) ──► generate │ eval │ analyze │ replay │ doctor │ models │ completion
 *              │                    │        │      │         │        │        │
 *   Environment: variables,         │        │      │         │        │        └─► cli.models   fetch, verify
 *   properties, terminals           │        │      │         │        └─► AttentionBackends.probe
 *                                   │        │      │         └─► cli.replay    one layer from a trace
 *                                   │        │      └─► cli.analyze ──┐  keys and sinks
 *                                   │        └─► cli.eval ────────────┴─► cli.report   one HTML file
 *                                   └─► org.sinkq.llm   a whole model
 *
 *   stdout  results: text, tables, or with --json machine-readable lines only
 *   stderr  progress, and on failure one line {@code sinkq: name=value, expected ...}
 *   exit    0 done, 1 failed, 2 the command line cannot be used
 * </pre>
 */
package org.sinkq.cli;
