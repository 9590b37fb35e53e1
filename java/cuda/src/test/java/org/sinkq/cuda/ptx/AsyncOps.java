package org.sinkq.cuda.ptx;

/** cp.async with its groups, and cp.async.bulk into shared memory with an mbarrier. */
final class AsyncOps {
  private static final int BULK_ALIGNMENT = 16;

  private AsyncOps() {}

  /** Decodes, or returns null where the opcode is another family's. */
  static Op.Action decode(Decoder in, Insn i) {
    if (!i.starts("cp.async")) {
      return null;
    }
    if (i.starts("cp.async.bulk.prefetch")) {
      return (w, mask) -> {};
    }
    if (i.starts("cp.async.bulk")) {
      return i.has("mbarrier::complete_tx::bytes") && i.has("global") && !i.has("tensor")
          ? bulk(in, i)
          : null;
    }
    if (i.starts("cp.async.commit_group")) {
      return (w, mask) -> w.copies().commit(mask);
    }
    if (i.starts("cp.async.wait_group")) {
      int pending = (int) ((Operand.IntLiteral) i.operand(0)).value();
      return (w, mask) -> w.copies().waitGroup(mask, pending);
    }
    if (i.starts("cp.async.wait_all")) {
      return (w, mask) -> w.copies().waitAll(mask);
    }
    if (i.starts("cp.async.mbarrier.arrive")) {
      return arrive(in, i);
    }
    return i.has("ca") || i.has("cg") ? copy(in, i) : null;
  }

  /** cp.async [dst], [src], size{, src-size or ignore-src}. */
  private static Op.Action copy(Decoder in, Insn i) {
    AddressRead to = AddressRead.of(in, i.operand(0), "shared");
    AddressRead from = AddressRead.of(in, i.operand(1), "global");
    int size = (int) ((Operand.IntLiteral) i.operand(2)).value();
    if (size != 4 && size != 8 && size != 16) {
      throw new IllegalArgumentException("size=" + size + ", expected 4, 8 or 16");
    }
    boolean more = i.operands() > 3 && !i.has("L2::cache_hint");
    boolean ignore = more && Decoder.isPredicate(i.operand(3));
    Decoder.PredicateRead ignored = ignore ? in.readPredicate(i.operand(3)) : null;
    int read =
        in.readInt(more && !ignore ? i.operand(3) : new Operand.IntLiteral(size), PtxType.U32);
    return MbarrierOps.each(
        (w, lane) -> {
          int bytes = ignored != null && (ignored.of(w) >>> lane & 1) != 0 ? 0 : w.r[read + lane];
          if (bytes < 0 || bytes > size) {
            throw new Fault(
                Fault.Kind.ARGUMENT, lane, "src-size=" + bytes + ", expected 0.." + size);
          }
          w.copies().issue(lane, to.of(w, lane), size, from.of(w, lane), bytes);
        });
  }

  /** cp.async.mbarrier.arrive: arrives when the thread's earlier copies have landed. */
  private static Op.Action arrive(Decoder in, Insn i) {
    AddressRead address = AddressRead.of(in, i.operand(0), "shared");
    boolean noIncrement = i.has("noinc");
    return MbarrierOps.each(
        (w, lane) -> {
          Mbarrier mbarrier = w.block().mbarriers().at(w, lane, address.of(w, lane));
          if (!noIncrement) {
            mbarrier.expectArrival();
          }
          mbarrier.awaitArrival(
              stamp -> {
                w.copies().landFor(lane, stamp);
                mbarrier.arrive(lane, 1);
              });
        });
  }

  /** cp.async.bulk [dst], [src], size, [mbarrier]{, policy}. */
  private static Op.Action bulk(Decoder in, Insn i) {
    AddressRead to = AddressRead.of(in, i.operand(0), "shared");
    AddressRead from = AddressRead.of(in, i.operand(1), "global");
    int size = in.readInt(i.operand(2), PtxType.U32);
    AddressRead barrier = AddressRead.of(in, i.operand(3), "shared");
    return MbarrierOps.each(
        (w, lane) ->
            bulk(
                w,
                lane,
                to.of(w, lane),
                from.of(w, lane),
                w.r[size + lane],
                w.block().mbarriers().at(w, lane, barrier.of(w, lane))));
  }

  private static void bulk(Warp w, int lane, long to, long from, int size, Mbarrier mbarrier) {
    if ((to | from | size) % BULK_ALIGNMENT != 0 || size <= 0) {
      throw new Fault(
          Fault.Kind.MISALIGNED,
          lane,
          "bulk copy of %d bytes from %s to %s, expected multiples of %d"
              .formatted(size, Fault.hex(from), Fault.hex(to), BULK_ALIGNMENT));
    }
    SharedSpace shared = w.block().shared();
    DeviceMemory memory = w.block().grid().memory();
    int at = shared.beginCopy(w, lane, to, size);
    memory.range(lane, from, size, Space.Access.READ);
    int line = w.line();
    mbarrier.awaitCopy(
        size,
        stamp ->
            shared.land(at, size, memory.range(lane, from, size, Space.Access.READ), stamp, line));
  }
}
