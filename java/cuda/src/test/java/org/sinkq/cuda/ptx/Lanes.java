package org.sinkq.cuda.ptx;

/**
 * Lane-wise functions and how they become instructions. A function computes all 32 lanes in one
 * plain loop, which the JIT compiler turns into vector code; lanes outside the mask are computed
 * too and thrown away. Operands are offsets of 32 consecutive lanes in a register file, constants
 * included, so that a function never asks what its operand is.
 */
final class Lanes {
  static final int WARP = 32;

  private Lanes() {}

  /** 32-bit operands to a 32-bit result. */
  @FunctionalInterface
  interface Ints {
    void apply(int[] r, int a, int b, int c, int[] out, int o);
  }

  /** 64-bit operands to a 64-bit result. */
  @FunctionalInterface
  interface Longs {
    void apply(long[] d, int a, int b, int c, long[] out, int o);
  }

  /** Two 32-bit operands and a 64-bit one to a 64-bit result. */
  @FunctionalInterface
  interface Widen {
    void apply(int[] r, int a, int b, long[] d, int c, long[] out, int o);
  }

  /** A 64-bit and a 32-bit operand to a 32-bit result. */
  @FunctionalInterface
  interface Narrow {
    void apply(long[] d, int a, int[] r, int b, int[] out, int o);
  }

  /** One lane of {@link Ints}. */
  @FunctionalInterface
  interface IntLane {
    int apply(int a, int b, int c);
  }

  /** One lane of {@link Longs}. */
  @FunctionalInterface
  interface LongLane {
    long apply(long a, long b, long c);
  }

  /** Spreads a scalar function over the lanes: slower than a loop of its own, for rare ones. */
  static Ints each(IntLane f) {
    return (r, a, b, c, out, o) -> {
      for (int l = 0; l < WARP; l++) {
        out[o + l] = f.apply(r[a + l], r[b + l], r[c + l]);
      }
    };
  }

  /** Spreads a scalar function over the lanes. */
  static Longs eachLong(LongLane f) {
    return (d, a, b, c, out, o) -> {
      for (int l = 0; l < WARP; l++) {
        out[o + l] = f.apply(d[a + l], d[b + l], d[c + l]);
      }
    };
  }

  /** Runs a 32-bit function on operands adjusted by {@code in}, and adjusts the result. */
  static Ints adjusted(Ints f, IntLane in, IntLane result) {
    int[] scratch = new int[3 * WARP];
    return (r, a, b, c, out, o) -> {
      for (int l = 0; l < WARP; l++) {
        scratch[l] = in.apply(r[a + l], 0, 0);
        scratch[WARP + l] = in.apply(r[b + l], 0, 0);
        scratch[2 * WARP + l] = in.apply(r[c + l], 0, 0);
      }
      f.apply(scratch, 0, WARP, 2 * WARP, out, o);
      for (int l = 0; l < WARP; l++) {
        out[o + l] = result.apply(out[o + l], 0, 0);
      }
    };
  }

  static Op.Action ints(int dst, int a, int b, int c, Ints f) {
    return (w, mask) -> {
      if (mask == -1) {
        f.apply(w.r, a, b, c, w.r, dst);
      } else {
        f.apply(w.r, a, b, c, w.ints, 0);
        w.keepInts(dst, mask);
      }
    };
  }

  static Op.Action longs(int dst, int a, int b, int c, Longs f) {
    return (w, mask) -> {
      if (mask == -1) {
        f.apply(w.d, a, b, c, w.d, dst);
      } else {
        f.apply(w.d, a, b, c, w.longs, 0);
        w.keepLongs(dst, mask);
      }
    };
  }

  static Op.Action widen(int dst, int a, int b, int c, Widen f) {
    return (w, mask) -> {
      f.apply(w.r, a, b, w.d, c, w.longs, 0);
      w.keepLongs(dst, mask);
    };
  }

  static Op.Action narrow(int dst, int a, int b, Narrow f) {
    return (w, mask) -> {
      f.apply(w.d, a, w.r, b, w.ints, 0);
      w.keepInts(dst, mask);
    };
  }
}
