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
    if (n == 1 && size == 4 && !wide[0]) {
      return (w, mask) -> {
        Space space = memory.of(w);
        for (int m = mask; m != 0; m &= m - 1) {
          int lane = Integer.numberOfTrailingZeros(m);
          int at = space.locate(w, lane, address.of(w, lane), 4, access);
          w.r[dst[0] + lane] = Space.readInt(space.bytes, at, 4);
        }
      };
    }
    return (w, mask) -> {
      Space space = memory.of(w);
      for (int m = mask; m != 0; m &= m - 1) {
        int lane = Integer.numberOfTrailingZeros(m);
        int at = space.locate(w, lane, address.of(w, lane), size * n, access);
        for (int k = 0; k < n; k++) {
          long value = Space.read(space.bytes, at + k * size, size) << shift >> shift;
          if (wide[k]) {
            w.d[dst[k] + lane] = value;
          } else {
            w.r[dst[k] + lane] = (int) value & keep[k];
          }
        }
      }
    };
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
    return (w, mask) -> {
      Space space = memory.of(w);
      for (int m = mask; m != 0; m &= m - 1) {
        int lane = Integer.numberOfTrailingZeros(m);
        int at = space.locate(w, lane, address.of(w, lane), size * n, access);
        for (int k = 0; k < n; k++) {
          long value = wide[k] ? w.d[src[k] + lane] : w.r[src[k] + lane];
          Space.write(space.bytes, at + k * size, size, value);
        }
      }
      w.block().grid().progress();
    };
  }
}
