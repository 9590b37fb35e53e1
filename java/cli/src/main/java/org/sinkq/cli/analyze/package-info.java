/**
 * Looks at the keys of a model or of a trace, and at what a cache makes of them.
 *
 * <pre>
 *   model + text ─┐
 *                 ├─► step by step ─► ShadowBackend ─► fp16 cache ─────────────► attention, as the model sees it
 *   trace ────────┘                        │
 *                                          ├─► cache with sinks ─────► error
 *                                          ├─► cache without sinks ──► error
 *                                          └─► keys ─────────────────► norms, channels
 *                                                  │
 *                                               Survey ─► HeadSurvey for each layer and KV head
 * </pre>
 *
 * <p>The caches under test get the queries, keys and values of the fp16 run, so that an error is
 * that of one layer and not of all layers before it.
 */
package org.sinkq.cli.analyze;
