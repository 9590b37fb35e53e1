package org.sinkq.cuda.ptx;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A decoded entry.
 *
 * @param ints size of the file of 32-bit registers, in lanes
 * @param longs size of the file of 64-bit registers, in lanes
 * @param intConstants value at each constant's offset
 * @param specials offset of each special register in use
 * @param localBytes of a thread
 * @param sharedBytes static, of a block
 * @param paramBytes of the launch
 */
record Program(
    String name,
    Op[] code,
    int ints,
    int longs,
    int predicates,
    Map<Integer, Integer> intConstants,
    Map<Integer, Long> longConstants,
    Map<String, Integer> specials,
    int localBytes,
    int sharedBytes,
    int paramBytes) {

  /** Collects what decoding finds. */
  static final class Builder {
    private final List<Op> code = new ArrayList<>();
    private final Map<Integer, Integer> intConstants = new LinkedHashMap<>();
    private final Map<Long, Integer> longConstants = new LinkedHashMap<>();
    private final Map<String, Integer> specials = new HashMap<>();
    private int ints;
    private int longs;
    private int predicates;
    private int falsePredicate = -1;
    private int localBytes;
    private int sharedBytes;

    void add(Op op) {
      code.add(op);
    }

    int size() {
      return code.size();
    }

    int intSlot() {
      return Lanes.WARP * ints++;
    }

    int longSlot() {
      return Lanes.WARP * longs++;
    }

    int predicate() {
      return predicates++;
    }

    /** A predicate that nobody writes. */
    int falsePredicate() {
      if (falsePredicate < 0) {
        falsePredicate = predicate();
      }
      return falsePredicate;
    }

    int intConstant(int value) {
      return intConstants.computeIfAbsent(value, v -> intSlot());
    }

    int longConstant(long value) {
      return longConstants.computeIfAbsent(value, v -> longSlot());
    }

    int special(String name) {
      if (!Specials.known(name)) {
        throw new IllegalArgumentException("register=" + name + ", expected a known one");
      }
      return specials.computeIfAbsent(name, n -> intSlot());
    }

    int localSpace(int bytes, int align) {
      int at = (localBytes + align - 1) / align * align;
      localBytes = at + bytes;
      return LocalSpace.BASE + at;
    }

    int sharedSpace(int bytes, int align) {
      int at = (sharedBytes + align - 1) / align * align;
      sharedBytes = at + bytes;
      return SharedSpace.BASE + at;
    }

    Program build(String name, int paramBytes) {
      Map<Integer, Integer> intAt = new HashMap<>();
      intConstants.forEach((value, at) -> intAt.put(at, value));
      Map<Integer, Long> longAt = new HashMap<>();
      longConstants.forEach((value, at) -> longAt.put(at, value));
      return new Program(
          name,
          code.toArray(new Op[0]),
          ints * Lanes.WARP,
          longs * Lanes.WARP,
          predicates,
          intAt,
          longAt,
          specials,
          (localBytes + 15) / 16 * 16,
          sharedBytes,
          paramBytes);
    }
  }
}
