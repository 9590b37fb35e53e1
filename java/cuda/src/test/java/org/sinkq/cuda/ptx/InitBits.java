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

  /** Whether any byte of a range is written. */
  boolean anyOf(int at, int size) {
    for (int i = at; i < at + size; ) {
      int count = Math.min(at + size - i, 64 - (i & 63));
      if ((bits[i >> 6] & mask(i, count)) != 0) {
        return true;
      }
      i += count;
    }
    return false;
  }

  void set(int at, int size, boolean value) {
    for (int i = at; i < at + size; ) {
      int count = Math.min(at + size - i, 64 - (i & 63));
      long mask = mask(i, count);
      bits[i >> 6] = value ? bits[i >> 6] | mask : bits[i >> 6] & ~mask;
      i += count;
    }
  }

  /** Takes over the bits of another range. */
  void copy(int at, InitBits from, int fromAt, int size) {
    for (int i = 0; i < size; ) {
      int to = at + i;
      int source = fromAt + i;
      int count = Math.min(size - i, 64 - Math.max(to & 63, source & 63));
      long mask = mask(to, count);
      long value = (from.bits[source >> 6] >>> source) << to;
      bits[to >> 6] = (bits[to >> 6] & ~mask) | (value & mask);
      i += count;
    }
  }

  /** {@code count} ones from bit {@code at} mod 64 on, all in one word. */
  private static long mask(int at, int count) {
    return (-1L >>> (64 - count)) << at;
  }

  void clear() {
    Arrays.fill(bits, 0);
  }
}
