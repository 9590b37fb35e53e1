package org.sinkq.cuda.ptx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.sinkq.DeviceException;

/** Asynchronous copies and mbarriers: they land late, and using them early is found. */
final class AsyncOpsTest {
  private static final String BULK =
      """
      .shared .align 16 .b8 s[64];
      .shared .align 8 .b64 bar;
      mov.u32 %r1, s;
      mov.u32 %r2, bar;
      setp.ne.u32 %p1, %t, 0;
      @%p1 bra READY;
      mbarrier.init.shared::cta.b64 [%r2], 1;
      READY:
      bar.sync 0;
      @%p1 bra WAIT;
      mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r2], 64;
      cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r1], [%in], 64, [%r2];
      WAIT:
      """;
  private static final String WAIT =
      """
      mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r2], 0;
      @!%p2 bra WAIT;
      """;
  private static final String READ =
      """
      and.b32 %r3, %t, 7;
      shl.b32 %r3, %r3, 3;
      add.s32 %r4, %r1, %r3;
      ld.shared.u64 %rd1, [%r4];
      mul.wide.u32 %rd2, %t, 8;
      add.s64 %rd2, %out, %rd2;
      st.global.u64 [%rd2], %rd1;
      """;

  private static long[] run(String body, long seed) {
    return PtxLab.run(
        PtxLab.entry(body),
        new PtxLab.Setup(1, 64, 0, seed),
        new long[] {10, 11, 12, 13, 14, 15, 16, 17},
        64);
  }

  private static String fails(String body, long seed) {
    return assertThrows(DeviceException.class, () -> run(body, seed)).getMessage();
  }

  @Test
  void bulkCopiesArriveWithTheirBarrier() {
    for (long seed = 0; seed < 20; seed++) {
      assertEquals(15, run(BULK + WAIT + READ, seed)[37], "seed=" + seed);
    }
  }

  @Test
  void readingBeforeABulkCopyLands() {
    String message = fails(BULK + READ, 3);
    assertTrue(
        message.endsWith("while an asynchronous copy of it is in flight")
            || message.contains("uninitialised shared address"),
        message);
  }

  @Test
  void blocksDoNotEndUnderACopy() {
    String message = fails(BULK, 3);
    assertTrue(message.endsWith("the block ends while a bulk copy into it is in flight"), message);
  }

  @Test
  void mbarriersThatNeverComplete() {
    String message = fails(BULK.replace("_, [%r2], 64;", "_, [%r2], 80;") + WAIT + READ, 2);
    assertTrue(message.contains("kernel=test: no progress in 4000000 instructions"), message);
  }

  @Test
  void bulkCopiesAreAligned() {
    assertTrue(
        fails(BULK.replace("[%in], 64, [%r2]", "[%in+8], 48, [%r2]") + WAIT, 1)
            .endsWith("expected multiples of 16"));
  }

  @Test
  void mbarriersCountArrivals() {
    String body =
        """
        .shared .align 8 .b64 bar;
        .shared .b64 value;
        mov.u32 %r2, bar;
        setp.ne.u32 %p1, %t, 0;
        @%p1 bra READY;
        mbarrier.init.shared.b64 [%r2], 32;
        READY:
        bar.sync 0;
        setp.lt.u32 %p3, %t, 32;
        @!%p3 bra WAIT;
        @%p1 bra ARRIVE;
        mov.u64 %rd3, 99;
        st.shared.u64 [value], %rd3;
        ARRIVE:
        mbarrier.arrive.shared.b64 %rd4, [%r2];
        bra DONE;
        WAIT:
        mbarrier.test_wait.parity.shared.b64 %p2, [%r2], 0;
        @!%p2 bra WAIT;
        ld.shared.u64 %rd1, [value];
        mul.wide.u32 %rd2, %t, 8;
        add.s64 %rd2, %out, %rd2;
        st.global.u64 [%rd2], %rd1;
        DONE:
        """;
    for (long seed = 0; seed < 20; seed++) {
      assertEquals(99, run(body, seed)[45], "seed=" + seed);
    }
    String message = fails(body.replace("%rd4, [%r2];", "%rd4, [%r2], 33;"), 1);
    assertTrue(message.endsWith("arrivals=33, but the mbarrier expects 32 a phase"), message);
  }

  private static final String COPY =
      """
      .shared .align 16 .b8 s[1024];
      mov.u32 %r1, s;
      shl.b32 %r3, %t, 4;
      add.s32 %r4, %r1, %r3;
      """;
  private static final String READ_OWN =
      """
      ld.shared.u64 %rd1, [%r4];
      mul.wide.u32 %rd2, %t, 8;
      add.s64 %rd2, %out, %rd2;
      st.global.u64 [%rd2], %rd1;
      """;

  @Test
  void groupsAreWaitedFor() {
    String two =
        COPY
            + """
            .shared .align 16 .b8 other[1024];
            mov.u32 %r5, other;
            add.s32 %r5, %r5, %r3;
            cp.async.cg.shared.global [%r4], [%in], 16;
            cp.async.commit_group;
            cp.async.cg.shared.global [%r5], [%in+16], 16;
            cp.async.commit_group;
            cp.async.wait_group 1;
            """;
    assertEquals(10, run(two + READ_OWN, 1)[9]);
    String message = fails(two + READ_OWN.replace("[%r4]", "[%r5]"), 1);
    assertTrue(message.endsWith("while an asynchronous copy of it is in flight"), message);
    assertEquals(12, run(two + "cp.async.wait_all;" + READ_OWN.replace("[%r4]", "[%r5]"), 1)[9]);
  }

  @Test
  void missingSourceBytesBecomeZero() {
    String body =
        COPY + "cp.async.ca.shared.global [%r4], [%in+8], 8, 4;\ncp.async.wait_all;\n" + READ_OWN;
    assertEquals(11, run(body, 1)[0]);
    assertEquals(0, run(body.replace("[%in+8], 8, 4", "[%in+8], 8, 0"), 1)[0]);
  }

  @Test
  void otherWarpsNeedABarrierToo() {
    String body =
        COPY
            + """
            cp.async.cg.shared.global [%r4], [%in], 16;
            cp.async.wait_all;
            xor.b32 %r3, %r3, 512;
            BARRIER
            add.s32 %r4, %r1, %r3;
            """
            + READ_OWN;
    for (long seed = 0; seed < 10; seed++) {
      assertEquals(10, run(body.replace("BARRIER", "bar.sync 0;"), seed)[5]);
      String message = fails(body.replace("BARRIER", ""), seed);
      assertTrue(message.contains("races with") || message.contains("shared address="), message);
    }
  }
}
