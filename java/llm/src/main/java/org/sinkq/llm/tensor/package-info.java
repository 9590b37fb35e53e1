/**
 * Arithmetic on weights as they lie in a model file.
 *
 * <pre>
 *   one row:    x ──► blocks of 16 weight rows, dequantized in registers ──► out        (decode)
 *   many rows:  16 weight rows ──► tile of floats, once ──► x, four rows at a time ──► out   (prompts)
 * </pre>
 *
 * Both ways add in the same order, so what a row computes does not depend on the rows beside it,
 * and a task computes whole outputs, so it does not depend on the number of threads either. {@code
 * ScalarKernels} and {@code VectorKernels} give the same bits.
 */
package org.sinkq.llm.tensor;
