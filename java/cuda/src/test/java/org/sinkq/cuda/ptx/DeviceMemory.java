package org.sinkq.cuda.ptx;

import java.util.Map;
import java.util.TreeMap;

/**
 * Global memory: allocations at addresses that never come again, with gaps between them, so that
 * every access outside an allocation and every use of a freed one is noticed.
 */
final class DeviceMemory extends Space {
  /** Where the first allocation lies; below are the windows of {@link GenericSpace}. */
  static final long BASE = 0x7f10_0000_0000L;

  /** Bytes of addresses of a device. */
  private static final long SPAN = 1L << 36;

  private static final int ALIGNMENT = 256;

  private final TreeMap<Long, Allocation> allocations = new TreeMap<>();
  private final TreeMap<Long, Freed> freed = new TreeMap<>();
  private long next;
  private long used;
  private Allocation last = new Allocation(0, new byte[0], "none", false);

  /** Memory of the device with a number, whose addresses no other one has. */
  DeviceMemory(int ordinal) {
    next = BASE + ordinal * SPAN;
  }

  /** The number of the device that an address belongs to. */
  static int ordinalOf(long address) {
    return (int) Math.floorDiv(address - BASE, SPAN);
  }

  /** One allocation, or one variable of a module. */
  static final class Allocation {
    final long base;
    final byte[] data;
    final String name;
    final boolean readOnly;
    final InitBits init;

    private Allocation(long base, byte[] data, String name, boolean readOnly) {
      this.base = base;
      this.data = data;
      this.name = name;
      this.readOnly = readOnly;
      init = new InitBits(data.length);
    }

    boolean holds(long address, long size) {
      long offset = address - base;
      return offset >= 0 && offset <= data.length - size;
    }

    @Override
    public String toString() {
      return "%s [%s, %s)".formatted(name, Fault.hex(base), Fault.hex(base + data.length));
    }
  }

  /** What is remembered of a freed allocation, for the message of a use after the free. */
  private record Freed(int bytes, String text) {}

  /** A range of an allocation. */
  record Range(Allocation allocation, int offset) {}

  Allocation allocate(long bytes, String name, boolean readOnly) {
    if (bytes > Integer.MAX_VALUE - 64) {
      throw new IllegalArgumentException(
          "bytes=" + bytes + ", expected less than 2 GiB on the interpreted device");
    }
    Allocation allocation = new Allocation(next, new byte[(int) bytes], name, readOnly);
    allocations.put(next, allocation);
    next += (bytes + 2 * ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT + ALIGNMENT;
    used += bytes;
    return allocation;
  }

  /** Frees an allocation, or returns false where none begins at the address. */
  boolean free(long address) {
    Allocation allocation = allocations.remove(address);
    if (allocation == null) {
      return false;
    }
    used -= allocation.data.length;
    freed.put(address, new Freed(allocation.data.length, allocation.toString()));
    last = new Allocation(0, new byte[0], "none", false);
    return true;
  }

  long used() {
    return used;
  }

  int count() {
    return allocations.size();
  }

  @Override
  int locate(Warp warp, int lane, long address, int size, Access access) {
    Allocation allocation = find(lane, address, size, access);
    bytes = allocation.data;
    return touch(allocation, lane, address, size, access);
  }

  @Override
  boolean locateAll(Warp warp, int mask, long[] addresses, int size, Access access) {
    int first = Integer.numberOfTrailingZeros(mask);
    Allocation allocation = find(first, addresses[first], size, access);
    for (int m = mask; m != 0; m &= m - 1) {
      int lane = Integer.numberOfTrailingZeros(m);
      if (!allocation.holds(addresses[lane], size)) {
        return false;
      }
      at[lane] = touch(allocation, lane, addresses[lane], size, access);
    }
    bytes = allocation.data;
    return true;
  }

  private int touch(Allocation allocation, int lane, long address, int size, Access access) {
    if ((address & (size - 1)) != 0) {
      throw misaligned(lane, "global", address, size);
    }
    int at = (int) (address - allocation.base);
    if (access != Access.WRITE && access != Access.STRONG_WRITE) {
      if (!allocation.init.all(at, size)) {
        throw new Fault(
            Fault.Kind.UNINITIALISED,
            lane,
            "%s of %d bytes at uninitialised global address=%s, offset=%d of %s"
                .formatted(verb(access), size, Fault.hex(address), at, allocation));
      }
    }
    if (access != Access.READ && access != Access.STRONG_READ) {
      if (allocation.readOnly) {
        throw new Fault(
            Fault.Kind.ADDRESS,
            lane,
            "write to constant address=%s of %s".formatted(Fault.hex(address), allocation));
      }
      allocation.init.set(at, size);
    }
    return at;
  }

  /** The allocation that a range lies in. */
  Range range(int lane, long address, long size, Access access) {
    Allocation allocation = find(lane, address, size, access);
    return new Range(allocation, (int) (address - allocation.base));
  }

  private Allocation find(int lane, long address, long size, Access access) {
    if (last.holds(address, size)) {
      return last;
    }
    Map.Entry<Long, Allocation> below = allocations.floorEntry(address);
    if (below == null || !below.getValue().holds(address, size)) {
      throw outside(lane, address, size, access, below);
    }
    last = below.getValue();
    return last;
  }

  private Fault outside(
      int lane, long address, long size, Access access, Map.Entry<Long, Allocation> below) {
    Map.Entry<Long, Freed> gone = freed.floorEntry(address);
    String where = "nearest is " + (below == null ? "none" : below.getValue());
    if (gone != null && address - gone.getKey() < gone.getValue().bytes()) {
      where = "it was freed: " + gone.getValue().text();
    }
    return new Fault(
        Fault.Kind.ADDRESS,
        lane,
        "out-of-bounds %s of %d bytes at global address=%s, %s"
            .formatted(verb(access), size, Fault.hex(address), where));
  }
}
