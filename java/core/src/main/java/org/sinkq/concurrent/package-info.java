/**
 * A team of threads for loops of microseconds.
 *
 * <pre>
 *   caller     run(tasks, task) ── publishes the loop ── works ── spins until pending is 0 ──► returns
 *   helper     spins, then parks ──── unparked ───────── works ── spins ... parks
 *                                        tasks are handed out one by one from a shared counter
 * </pre>
 */
package org.sinkq.concurrent;
