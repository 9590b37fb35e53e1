package org.sinkq.cuda.ptx;

import static org.sinkq.cuda.ptx.Lanes.WARP;

import java.util.List;

/** mov with its packing and unpacking, selp, slct, cvta, isspacep, createpolicy. */
final class MoveOps {
  private static final Lanes.Ints COPY =
      (r, a, b, c, out, o) -> System.arraycopy(r, a, out, o, WARP);
  private static final Lanes.Longs COPY_LONG =
      (d, a, b, c, out, o) -> System.arraycopy(d, a, out, o, WARP);

  private MoveOps() {}

  /** Decodes, or returns null where the opcode is another family's. */
  static Op.Action decode(Decoder in, Insn i) {
    return switch (i.root()) {
      case "mov" -> move(in, i);
      case "selp" -> select(in, i);
      case "slct" -> selectBySign(in, i);
      case "cvta" -> convertAddress(in, i);
      case "isspacep" -> isSpace(in, i);
      // A hint to the cache: any value will do.
      case "createpolicy" ->
          Lanes.longs(in.writeLong(i.operand(0)), in.zeroLong(), 0, 0, COPY_LONG);
      case "prefetch", "prefetchu", "applypriority", "discard" -> (w, mask) -> {};
      default -> null;
    };
  }

  private static Op.Action move(Decoder in, Insn i) {
    PtxType type = i.type();
    if (type == PtxType.PRED) {
      int dst = in.predicate(i.operand(0));
      Decoder.PredicateRead a = in.readPredicate(i.operand(1));
      return (w, mask) -> w.keepPredicate(dst, mask, a.of(w));
    }
    if (i.operand(1) instanceof Operand.Special s && !Specials.known(s.name())) {
      return clock(in, i, s.name());
    }
    if (i.operand(0) instanceof Operand.Group group) {
      return unpack(in, i, group.items());
    }
    if (i.operand(1) instanceof Operand.Group group) {
      return pack(in, i, group.items());
    }
    return type.isLong() ? in.longs(i, type, COPY_LONG) : in.ints(i, type, COPY);
  }

  private static Op.Action clock(Decoder in, Insn i, String name) {
    boolean wide = Decoder.isLong(i.operand(0));
    int dst = wide ? in.writeLong(i.operand(0)) : in.writeInt(i.operand(0));
    if (!List.of("%clock", "%clock64", "%clock_hi", "%globaltimer", "%globaltimer_lo")
        .contains(name)) {
      throw new IllegalArgumentException("register=" + name + ", expected a known one");
    }
    return (w, mask) -> {
      long now = w.block().grid().clock();
      if (wide) {
        java.util.Arrays.fill(w.longs, now);
        w.keepLongs(dst, mask);
      } else {
        WarpOps.fill(w, dst, mask, (int) now);
      }
    };
  }

  /** mov.b32 d, {a,b}: the first element in the lowest bits. */
  private static Op.Action pack(Decoder in, Insn i, List<Operand> items) {
    int bits = i.type().bits() / items.size();
    if (i.type().isLong()) {
      int dst = in.writeLong(i.operand(0));
      int[] s = items.stream().mapToInt(item -> in.readInt(item, ofBits(bits))).toArray();
      return (w, mask) -> {
        for (int l = 0; l < WARP; l++) {
          long value = 0;
          for (int k = 0; k < s.length; k++) {
            value |= (w.r[s[k] + l] & (1L << bits) - 1) << (k * bits);
          }
          w.longs[l] = value;
        }
        w.keepLongs(dst, mask);
      };
    }
    if (items.size() != 2) {
      int dst = in.writeInt(i.operand(0));
      int[] s = items.stream().mapToInt(item -> in.readInt(item, ofBits(bits))).toArray();
      return (w, mask) -> {
        for (int l = 0; l < WARP; l++) {
          int value = 0;
          for (int k = 0; k < s.length; k++) {
            value |= (w.r[s[k] + l] & (1 << bits) - 1) << (k * bits);
          }
          w.ints[l] = value;
        }
        w.keepInts(dst, mask);
      };
    }
    int a = in.readInt(items.get(0), ofBits(bits));
    int b = in.readInt(items.get(1), ofBits(bits));
    int low = (1 << bits) - 1;
    return Lanes.ints(
        in.writeInt(i.operand(0)),
        a,
        b,
        in.zero(),
        (r, x, y, c, out, o) -> {
          for (int l = 0; l < WARP; l++) {
            out[o + l] = (r[x + l] & low) | r[y + l] << bits;
          }
        });
  }

  private static Op.Action unpack(Decoder in, Insn i, List<Operand> items) {
    int bits = i.type().bits() / items.size();
    boolean wide = i.type().isLong();
    int a = wide ? in.readLong(i.operand(1), i.type()) : in.readInt(i.operand(1), i.type());
    int[] dst = items.stream().mapToInt(in::writeInt).toArray();
    long low = (1L << bits) - 1;
    return (w, mask) -> {
      long[] value = w.longs;
      for (int l = 0; l < WARP; l++) {
        value[l] = wide ? w.d[a + l] : w.r[a + l];
      }
      for (int k = 0; k < dst.length; k++) {
        for (int l = 0; l < WARP; l++) {
          w.ints[l] = (int) (value[l] >>> (k * bits) & low);
        }
        w.keepInts(dst[k], mask);
      }
    };
  }

  private static PtxType ofBits(int bits) {
    return switch (bits) {
      case 8 -> PtxType.B8;
      case 16 -> PtxType.B16;
      case 32 -> PtxType.B32;
      default -> throw new IllegalArgumentException("bits=" + bits + ", expected 8, 16 or 32");
    };
  }

  private static Op.Action select(Decoder in, Insn i) {
    Decoder.PredicateRead p = in.readPredicate(i.operand(3));
    PtxType type = i.type();
    if (type.isLong()) {
      int dst = in.writeLong(i.operand(0));
      int a = in.readLong(i.operand(1), type);
      int b = in.readLong(i.operand(2), type);
      return (w, mask) -> {
        int bits = p.of(w);
        for (int l = 0; l < WARP; l++) {
          w.longs[l] = (bits >>> l & 1) != 0 ? w.d[a + l] : w.d[b + l];
        }
        w.keepLongs(dst, mask);
      };
    }
    int dst = in.writeInt(i.operand(0));
    int a = in.readInt(i.operand(1), type);
    int b = in.readInt(i.operand(2), type);
    return (w, mask) -> {
      int bits = p.of(w);
      for (int l = 0; l < WARP; l++) {
        w.ints[l] = (bits >>> l & 1) != 0 ? w.r[a + l] : w.r[b + l];
      }
      w.keepInts(dst, mask);
    };
  }

  /** slct.type.s32 or .f32 d, a, b, c: a where c is not negative. */
  private static Op.Action selectBySign(Decoder in, Insn i) {
    PtxType type = i.types().getFirst();
    boolean real = i.type() == PtxType.F32;
    int c = in.readInt(i.operand(3), i.type());
    boolean wide = type.isLong();
    int dst = wide ? in.writeLong(i.operand(0)) : in.writeInt(i.operand(0));
    int a = wide ? in.readLong(i.operand(1), type) : in.readInt(i.operand(1), type);
    int b = wide ? in.readLong(i.operand(2), type) : in.readInt(i.operand(2), type);
    return MbarrierOps.each(
        (w, lane) -> {
          int value = w.r[c + lane];
          boolean first = real ? Float.intBitsToFloat(value) >= 0 : value >= 0;
          if (wide) {
            w.d[dst + lane] = w.d[(first ? a : b) + lane];
          } else {
            w.r[dst + lane] = w.r[(first ? a : b) + lane];
          }
        });
  }

  private static Op.Action convertAddress(Decoder in, Insn i) {
    boolean to = i.has("to");
    long window = GenericSpace.window(i.parts().get(to ? 1 : 0));
    Lanes.Longs f = Lanes.eachLong((a, b, c) -> to ? a - window : a + window);
    return in.longs(i, PtxType.U64, window == 0 ? COPY_LONG : f);
  }

  private static Op.Action isSpace(Decoder in, Insn i) {
    String space = i.parts().getFirst().replaceAll("::.*", "");
    int dst = in.predicate(i.operand(0));
    int a = in.readLong(i.operand(1), PtxType.U64);
    return (w, mask) -> {
      int bits = 0;
      for (int l = 0; l < WARP; l++) {
        bits |= GenericSpace.space(w.d[a + l]).equals(space) ? 1 << l : 0;
      }
      w.keepPredicate(dst, mask, bits);
    };
  }
}
