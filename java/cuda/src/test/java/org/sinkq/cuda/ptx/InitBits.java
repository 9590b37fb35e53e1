package org.sinkq.cuda.ptx;

import java.util.Arrays;

/** One bit a byte: whether anything was ever written there. */
final class InitBits {
  private final long[] bits;

  InitBits(long bytes) {
    bits = new long[(int) ((bytes + 63) / 64)];
  }

  /** Whether an aligned range of up to 32 bytes is written throughout. */
  boolean all(int at, int size) {
    long mask = (1L << size) - 1;
    return ((bits[at >> 6] >>> at) & mask) == mask;
  }

  /** Whether any byte of an aligned range of up to 32 bytes is written. */
  boolean any(int at, int size) {
    return ((bits[at >> 6] >>> at) & ((1L << size) - 1)) != 0;
  }

  /** Marks an aligned range of up to 32 bytes. */
  void set(int at, int size) {
    bits[at >> 6] |= ((1L << size) - 1) << at;
  }

  boolean get(int at) {
    return ((bits[at >> 6] >>> at) & 1) != 0;
  }

  void set(int at, int size, boolean value) {
    for (int i = at; i < at + size; ) {
      if ((i & 63) == 0 && i + 64 <= at + size) {
        bits[i >> 6] = value ? -1 : 0;
        i += 64;
      } else {
        bits[i >> 6] = value ? bits[i >> 6] | (1L << i) : bits[i >> 6] & ~(1L << i);
        i++;
      }
    }
  }

  /** Takes over the bits of another range. */
  void copy(int at, InitBits from, int fromAt, int size) {
    for (int i = 0; i < size; ) {
      if ((((at + i) | (fromAt + i)) & 63) == 0 && i + 64 <= size) {
        bits[(at + i) >> 6] = from.bits[(fromAt + i) >> 6];
        i += 64;
      } else {
        set(at + i, 1, from.get(fromAt + i));
        i++;
      }
    }
  }

  void clear() {
    Arrays.fill(bits, 0);
  }
}
