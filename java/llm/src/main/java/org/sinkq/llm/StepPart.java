package org.sinkq.llm;

/** What a decode step on a device consists of, so that parts can be timed alone. */
public enum StepPart {
  /** Matrix products with weights, by cuBLAS. */
  PRODUCTS,

  /** Append, attention and, in steps in which pages fill, sink selection and packing. */
  ATTENTION,

  /** Embedding, norms, RoPE, gates and the choice of tokens. */
  OTHER
}
