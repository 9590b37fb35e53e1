package org.sinkq.llm.model;

import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;

/** Architectures of the Llama family, by the name that a file gives. */
enum Architecture {
  /** Llama 1 to 3, SmolLM2, Mistral 7B; its q and k rows are stored for interleaved RoPE pairs. */
  LLAMA("llama", true),
  /** Qwen2 and Qwen2.5: biases on q, k and v. */
  QWEN2("qwen2", false),
  /** Qwen3: norms of q and k by head. */
  QWEN3("qwen3", false);

  private final String id;
  private final boolean interleavedRope;

  Architecture(String id, boolean interleavedRope) {
    this.id = id;
    this.interleavedRope = interleavedRope;
  }

  /** Name in {@code general.architecture} and prefix of the metadata keys. */
  String id() {
    return id;
  }

  /** Whether RoPE turns elements 2i and 2i + 1 together, not i and i + half. */
  boolean interleavedRope() {
    return interleavedRope;
  }

  static Optional<Architecture> find(String id) {
    return Arrays.stream(values()).filter(a -> a.id.equals(id)).findFirst();
  }

  static String ids() {
    return Arrays.stream(values()).map(Architecture::id).collect(Collectors.joining(", "));
  }
}
