package org.sinkq.cuda.ptx;

import java.util.List;

/** ld and st of every space, width and vector length; cache operators are hints. */
final class MemoryOps {
  private MemoryOps() {}

  /** Decodes, or returns null where the opcode is another family's. */
  static Op.Action decode(Decoder in, Insn i) {
    return switch (i.root()) {
      case "ld", "ldu" -> load(in, i);
      case "st" -> store(in, i);
      default -> null;
    };
  }

  /** The space that an opcode names; empty for generic addresses. */
  static String space(Insn i) {
    for (String part : i.parts()) {
      switch (part) {
        case "global", "local", "shared", "const", "param" -> {
          return part;
        }
        case "shared::cta" -> {
          return "shared";
        }
        case "shared::cluster" -> throw new IllegalArgumentException("clusters are not supported");
        default -> {
          // Another modifier.
        }
      }
    }
    return "";
  }

  /** Where an access goes: the space is known when decoding, its memory when running. */
  private static Resolver resolver(Decoder in, Insn i, int addressOperand) {
    String space = space(i);
    if (space.isEmpty()) {
      return w -> w.generic();
    }
    if (space.equals("param")) {
      // The parameters of a call lie in local memory.
      Operand base = ((Operand.Address) i.operand(addressOperand)).base();
      boolean call = base instanceof Operand.Variable v && !in.isEntryParameter(v.variable());
      return call ? w -> w.local() : w -> w.block().grid().params();
    }
    return switch (space) {
      case "shared" -> w -> w.block().shared();
      case "local" -> w -> w.local();
      default -> w -> w.block().grid().memory();
    };
  }

  /** Finds the memory of a warp. */
  @FunctionalInterface
  private interface Resolver {
    Space of(Warp w);
  }

  private static boolean strong(Insn i) {
    return i.has("volatile") || i.has("relaxed") || i.has("acquire") || i.has("release");
  }

  private static Op.Action load(Decoder in, Insn i) {
    PtxType type = i.type();
    Resolver memory = resolver(in, i, 1);
    AddressRead address = AddressRead.of(in, i.operand(1), space(i));
    List<Operand> targets = i.group(0);
    int n = targets.size();
    boolean[] wide = new boolean[n];
    int[] dst = new int[n];
    int[] keep = new int[n];
    for (int k = 0; k < n; k++) {
      wide[k] = Decoder.isLong(targets.get(k)) || type.isLong();
      dst[k] = wide[k] ? in.writeLong(targets.get(k)) : in.writeInt(targets.get(k));
      keep[k] = targets.get(k) instanceof Operand.Register r && r.type().bytes == 2 ? 0xffff : -1;
    }
    int size = type.bytes;
    int shift = type.isSigned() ? 64 - type.bits() : 0;
    Space.Access access = strong(i) ? Space.Access.STRONG_READ : Space.Access.READ;
    Transfer transfer =
        (w, mask, bytes, at) -> {
          for (int k = 0; k < n; k++) {
            int offset = k * size;
            if (wide[k]) {
              loadLongs(w.d, dst[k], mask, bytes, at, offset, size, shift);
            } else if (size == 4) {
              loadWords(w.r, dst[k], mask, bytes, at, offset);
            } else {
              loadInts(w.r, dst[k], mask, bytes, at, offset, size, shift, keep[k]);
            }
          }
        };
    return isParameter(in, i)
        ? parameter(address, size * n, transfer)
        : access(memory, address, size * n, access, transfer);
  }

  private static boolean isParameter(Decoder in, Insn i) {
    return space(i).equals("param")
        && i.operand(1) instanceof Operand.Address(Operand.Variable base, long offset)
        && in.isEntryParameter(base.variable());
  }

  /** Loads a parameter of the launch, which is one and the same for all lanes. */
  private static Op.Action parameter(AddressRead address, int size, Transfer transfer) {
    return (w, mask) -> {
      Space space = w.block().grid().params();
      int at = space.locate(w, 0, address.of(w, 0), size, Space.Access.READ);
      java.util.Arrays.fill(space.at, at);
      transfer.move(w, mask, space.bytes, space.at);
    };
  }

  /** Moves what lies in memory to registers or back, for the lanes of a mask. */
  @FunctionalInterface
  private interface Transfer {
    void move(Warp w, int mask, byte[] bytes, int[] at);
  }

  private static Op.Action access(
      Resolver memory, AddressRead address, int size, Space.Access access, Transfer transfer) {
    return (w, mask) -> {
      Space space = memory.of(w);
      long[] addresses = address.all(w);
      if (space.locateAll(w, mask, addresses, size, access)) {
        transfer.move(w, mask, space.bytes, space.at);
        return;
      }
      for (int m = mask; m != 0; m &= m - 1) {
        int lane = Integer.numberOfTrailingZeros(m);
        space.at[lane] = space.locate(w, lane, addresses[lane], size, access);
        transfer.move(w, 1 << lane, space.bytes, space.at);
        if (access == Space.Access.WRITE) {
          space.settle(lane, addresses[lane], size);
        }
      }
    };
  }

  private static void loadWords(int[] r, int dst, int mask, byte[] bytes, int[] at, int offset) {
    if (mask == -1) {
      for (int lane = 0; lane < Lanes.WARP; lane++) {
        r[dst + lane] = Space.readInt(bytes, at[lane] + offset, 4);
      }
      return;
    }
    for (int m = mask; m != 0; m &= m - 1) {
      int lane = Integer.numberOfTrailingZeros(m);
      r[dst + lane] = Space.readInt(bytes, at[lane] + offset, 4);
    }
  }

  private static void loadInts(
      int[] r,
      int dst,
      int mask,
      byte[] bytes,
      int[] at,
      int offset,
      int size,
      int shift,
      int keep) {
    for (int m = mask; m != 0; m &= m - 1) {
      int lane = Integer.numberOfTrailingZeros(m);
      long value = Space.read(bytes, at[lane] + offset, size) << shift >> shift;
      r[dst + lane] = (int) value & keep;
    }
  }

  private static void loadLongs(
      long[] d, int dst, int mask, byte[] bytes, int[] at, int offset, int size, int shift) {
    for (int m = mask; m != 0; m &= m - 1) {
      int lane = Integer.numberOfTrailingZeros(m);
      d[dst + lane] = Space.read(bytes, at[lane] + offset, size) << shift >> shift;
    }
  }

  private static Op.Action store(Decoder in, Insn i) {
    PtxType type = i.type();
    Resolver memory = resolver(in, i, 0);
    AddressRead address = AddressRead.of(in, i.operand(0), space(i));
    List<Operand> sources = i.group(1);
    int n = sources.size();
    boolean[] wide = new boolean[n];
    int[] src = new int[n];
    for (int k = 0; k < n; k++) {
      wide[k] = Decoder.isLong(sources.get(k)) || type.isLong();
      src[k] = wide[k] ? in.readLong(sources.get(k), type) : in.readInt(sources.get(k), type);
    }
    int size = type.bytes;
    Space.Access access = strong(i) ? Space.Access.STRONG_WRITE : Space.Access.WRITE;
    Transfer transfer =
        (w, mask, bytes, at) -> {
          for (int k = 0; k < n; k++) {
            int offset = k * size;
            for (int m = mask; m != 0; m &= m - 1) {
              int lane = Integer.numberOfTrailingZeros(m);
              if (wide[k]) {
                Space.write(bytes, at[lane] + offset, size, w.d[src[k] + lane]);
              } else {
                Space.writeInt(bytes, at[lane] + offset, size, w.r[src[k] + lane]);
              }
            }
          }
          w.block().grid().progress();
        };
    return access(memory, address, size * n, access, transfer);
  }
}
