package org.sinkq.cuda.ptx;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * A state space. {@link #locate} checks an access, notes it in the shadow and leaves the bytes in
 * {@link #bytes}; the instruction then reads or writes them there.
 */
abstract class Space {
  /** What an access does. */
  enum Access {
    READ,
    WRITE,
    /** Reads and writes at once, and does not race with its like. */
    ATOMIC,
    /** A volatile, relaxed or acquiring read: it does not race with atomic writes. */
    STRONG_READ,
    /** A volatile, relaxed or releasing write. */
    STRONG_WRITE
  }

  private static final VarHandle SHORT =
      MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle INT =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  /** Where the access that was located last lies. */
  byte[] bytes;

  /** Where in {@link #bytes} the lanes' accesses lie that {@link #locateAll} located. */
  final int[] at = new int[Lanes.WARP];

  /**
   * Checks an access and returns its index in {@link #bytes}.
   *
   * @param size of the whole access, a power of two up to 32 bytes; the address is aligned to it
   * @throws Fault with the finding
   */
  abstract int locate(Warp warp, int lane, long address, int size, Access access);

  /**
   * Checks the accesses of the lanes of a mask, in their order, as {@link #locate} does, and leaves
   * where they lie in {@link #at}.
   *
   * @return false where they lie in more than one array: each has to be located by itself
   */
  boolean locateAll(Warp warp, int mask, long[] addresses, int size, Access access) {
    for (int m = mask; m != 0; m &= m - 1) {
      int lane = Integer.numberOfTrailingZeros(m);
      at[lane] = locate(warp, lane, addresses[lane], size, access);
    }
    return true;
  }

  /**
   * Looks at a plain write again that {@link #locate} let through, once it is done.
   *
   * @throws Fault where it changed what another lane wrote that it is not ordered behind
   */
  void settle(int lane, long address, int size) {}

  /** Reads 1, 2 or 4 bytes, zero-extended. */
  static int readInt(byte[] bytes, int at, int size) {
    return switch (size) {
      case 1 -> bytes[at] & 0xff;
      case 2 -> (short) SHORT.get(bytes, at) & 0xffff;
      default -> (int) INT.get(bytes, at);
    };
  }

  static void writeInt(byte[] bytes, int at, int size, int value) {
    switch (size) {
      case 1 -> bytes[at] = (byte) value;
      case 2 -> SHORT.set(bytes, at, (short) value);
      default -> INT.set(bytes, at, value);
    }
  }

  static long readLong(byte[] bytes, int at) {
    return (long) LONG.get(bytes, at);
  }

  static void writeLong(byte[] bytes, int at, long value) {
    LONG.set(bytes, at, value);
  }

  /** Up to 8 bytes, zero-extended. */
  static long read(byte[] bytes, int at, int size) {
    return size == 8 ? readLong(bytes, at) : readInt(bytes, at, size) & 0xffffffffL;
  }

  static void write(byte[] bytes, int at, int size, long value) {
    if (size == 8) {
      writeLong(bytes, at, value);
    } else {
      writeInt(bytes, at, size, (int) value);
    }
  }

  static Fault misaligned(int lane, String space, long address, int size) {
    return new Fault(
        Fault.Kind.MISALIGNED,
        lane,
        "misaligned access to %s address=%s, expected a multiple of %d"
            .formatted(space, Fault.hex(address), size));
  }

  /** What an access is called in messages. */
  static String verb(Access access) {
    return switch (access) {
      case READ, STRONG_READ -> "read";
      case WRITE, STRONG_WRITE -> "write";
      case ATOMIC -> "atomic access";
    };
  }
}
