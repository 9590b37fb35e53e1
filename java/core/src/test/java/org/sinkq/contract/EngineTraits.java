package org.sinkq.contract;

import java.util.Arrays;
import java.util.List;
import org.sinkq.KvCodec;

/** In what engines may differ: how exactly they compute, and which codecs they store. */
final class EngineTraits {
  /** The usual pages of a test, which are short. */
  private static final int SHORT_PAGE = 32;

  private EngineTraits() {}

  /** Engines on CUDA kernels: operands of the matrix units are fp16. */
  private static boolean isCuda(String engine) {
    return engine.startsWith("cuda");
  }

  /**
   * How far attention may be from fp64 over the same dequantized rows, for values whose weighted
   * magnitude is 1 or less; for larger ones, so many times as far.
   */
  static double tolerance(String engine) {
    return isCuda(engine) ? 1.5e-3 : 1e-4;
  }

  /**
   * How much a sequence's results may depend on what else is in its step. A GPU divides the pages
   * of a sequence by how many blocks the whole step leaves it; a host engine by the sequence alone.
   */
  static float neighbourTolerance(String engine) {
    return isCuda(engine) ? (float) tolerance(engine) : 0;
  }

  /** The codecs of an engine, widest first. */
  static List<KvCodec> codecs(String engine) {
    return Arrays.stream(KvCodec.values())
        .filter(codec -> !isCuda(engine) || codec != KvCodec.FP32)
        .toList();
  }

  /** The shortest pages that an engine has for a codec, in units of 32 tokens. */
  static int pageScale(String engine, KvCodec codec) {
    return isCuda(engine) && codec == KvCodec.INT2_ADAPTIVE ? 4 : 1;
  }

  /** Whether an engine has pages of so many tokens for a codec. */
  static boolean hasPages(String engine, KvCodec codec, int tokens) {
    return tokens >= SHORT_PAGE * pageScale(engine, codec);
  }

  /** The widest codec, for tests that want a dense layer. */
  static KvCodec widest(String engine) {
    return codecs(engine).getFirst();
  }
}
