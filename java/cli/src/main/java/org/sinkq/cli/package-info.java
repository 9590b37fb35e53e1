/**
 * The {@code sinkq} command.
 *
 * <pre>
 *   Main ──► Sinkq (picocli) ──┬─► generate   org.sinkq.llm      a whole model
 *              │               ├─► eval       cli.eval ──────┐   what caches do to predictions
 *   Environment: variables,    ├─► analyze    cli.analyze ───┴─► cli.report   one HTML file
 *   properties, terminals      ├─► replay     cli.replay         one layer from a trace
 *                              ├─► plan       cli.plan           what fits on a GPU, and how fast
 *                              ├─► bench      cli.throughput     how fast it really is
 *                              ├─► doctor     AttentionBackends.probe
 *                              ├─► models     cli.models         fetch, verify, convert
 *                              └─► completion
 *
 *   stdout  results: text, tables, or with --json machine-readable lines only
 *   stderr  progress, and on failure one line {@code sinkq: name=value, expected ...}
 *   exit    0 done, 1 failed, 2 the command line cannot be used
 * </pre>
 */
package org.sinkq.cli;
