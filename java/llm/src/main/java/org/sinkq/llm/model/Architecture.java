package org.sinkq.llm.model;

import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;
import org.sinkq.llm.tensor.Activation;

/** Architectures of the Llama family, by the name that a file gives. */
enum Architecture {
  /** Llama 1 to 3, SmolLM2, Mistral 7B; its q and k rows are stored for interleaved RoPE pairs. */
  LLAMA("llama", true, false, Activation.SILU),
  /** Qwen2 and Qwen2.5: biases on q, k and v. */
  QWEN2("qwen2", false, false, Activation.SILU),
  /** Qwen3: norms of q and k by head. */
  QWEN3("qwen3", false, true, Activation.SILU),
  /**
   * Gemma 3: norms of q and k by head and of what attention and feed-forward network add; scaled
   * embeddings; layers with a sliding window and a RoPE base of their own.
   */
  GEMMA3("gemma3", false, true, Activation.GELU);

  private final String id;
  private final boolean interleavedRope;
  private final boolean headNorms;
  private final Activation activation;

  Architecture(String id, boolean interleavedRope, boolean headNorms, Activation activation) {
    this.id = id;
    this.interleavedRope = interleavedRope;
    this.headNorms = headNorms;
    this.activation = activation;
  }

  /** Name in {@code general.architecture} and prefix of the metadata keys. */
  String id() {
    return id;
  }

  /** Whether RoPE turns elements 2i and 2i + 1 together, not i and i + half. */
  boolean interleavedRope() {
    return interleavedRope;
  }

  /** Whether q and k are normalized by head. */
  boolean headNorms() {
    return headNorms;
  }

  /** What the gate goes through. */
  Activation activation() {
    return activation;
  }

  static Optional<Architecture> find(String id) {
    return Arrays.stream(values()).filter(a -> a.id.equals(id)).findFirst();
  }

  static String ids() {
    return Arrays.stream(values()).map(Architecture::id).collect(Collectors.joining(", "));
  }
}
