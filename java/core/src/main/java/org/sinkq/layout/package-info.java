/**
 * The counts that host and engines share, derived once from a model's shape and a cache's settings.
 *
 * <pre>
 *   G    tokens of a page                      32, 64 or 128
 *   R    recent tokens, always dense           any number
 *   ring token slots of a window               R + G in whole blocks of 32; position p is in slot p mod ring
 *   P, A slots of pool and spill               per tracked KV head
 *   value group                                largest divisor of D that is at most 128, or fewer if asked for
 *
 *   trackedHead(layer, head)                   row of a sink table; layers without tracking have none
 *   flushedPages(window, rows)                 (window + rows - R) / G, the pages that a step fills
 * </pre>
 *
 * Byte offsets differ between engines and live with them.
 */
package org.sinkq.layout;
