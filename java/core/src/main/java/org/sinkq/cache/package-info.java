/**
 * Bookkeeping of pages, windows and sinks. Ints only: which token lives where, never its bytes, so
 * the same code serves every engine and is tested without one.
 *
 * <pre>
 *   SequenceState    length, page ids ──► IndexPool (reference counts: forks share pages)
 *   positions        0 ............................ flushed | ............ length
 *                    page 0 | page 1 | ... | page n-1       | window, R .. R+G-1 tokens
 *
 *   PageMasks        per tracked head and page, a bit for every token: 1 = lives in a sink slot
 *   SinkTable        per tracked head, slot 0 .. P+A-1: position, score, kind (free, pool, spill)
 *                    and the position at which its pool froze
 *
 *   flush of one head     scores of the flushed tokens
 *                            │ select: the P smallest of pool and flushed tokens
 *                            ├─► SinkTable     winners enter free slots; losers become spill
 *                            ├─► PageMasks     winners' page slots are marked
 *                            └─► SinkJournal   the state before, in case the step is rolled back
 * </pre>
 *
 * <b>Exactly once:</b> every position below {@code flushed} is either an unmasked slot of its page
 * or in one sink slot; every other one is in the window.
 *
 * <p>Nothing here locks. The backend's lock guards pools and sequences that are idle; a sequence in
 * an open plan, with its table and the masks of its new pages, belongs to the plan and is reached
 * under the engine's lock.
 */
package org.sinkq.cache;
