package org.sinkq.contract;

import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.sinkq.KvCodec;

/** In what engines may differ: how exactly they compute, and which codecs they store. */
final class EngineTraits {
  /** Codecs that the CUDA engines refuse. */
  private static final Set<KvCodec> HOST_ONLY = Set.of(KvCodec.FP32, KvCodec.INT2_ADAPTIVE);

  private EngineTraits() {}

  /** Engines on CUDA kernels: operands of the matrix units are fp16. */
  private static boolean isCuda(String engine) {
    return engine.startsWith("cuda");
  }

  /**
   * How far attention may be from fp64 over the same dequantized rows, for values of magnitude 1.
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
        .filter(codec -> !isCuda(engine) || !HOST_ONLY.contains(codec))
        .toList();
  }

  /** The widest codec, for tests that want a dense layer. */
  static KvCodec widest(String engine) {
    return codecs(engine).getFirst();
  }
}
