/**
 * The contract of an engine, published as a test jar so that every engine's module runs the same
 * suite.
 *
 * <pre>
 *   EngineContract        bits, attention, appending, batches, sequences, ...        subclassed once per engine
 *   ScriptContract        random scripts of all operations                          subclassed once per engine
 *
 *   Data ──tensors──► Lockstep ──same calls──► backend under test ──┐
 *                        └──────same calls──► oracle ───────────────┴─► StateCheck: every bit equal
 * </pre>
 *
 * A module that runs it puts {@code sinkq-core} and its test jar on the class path (not the module
 * path: the suite looks into packages that are not exported).
 */
package org.sinkq.contract;
