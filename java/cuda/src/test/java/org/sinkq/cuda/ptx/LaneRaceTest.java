package org.sinkq.cuda.ptx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.sinkq.DeviceException;

/** Hazards between the lanes of one warp: found without a barrier, and nothing found with one. */
final class LaneRaceTest {
  private static final int SEEDS = 6;

  /** %r1 is where 128 bytes lie, %r2 this lane's word, %r3 its neighbour's, %r4 lane 0's. */
  private static final String WORDS =
      """
      .shared .align 16 .b32 s[32];
      mov.u32 %r1, s;
      shl.b32 %r0, %t, 2;
      add.s32 %r2, %r1, %r0;
      xor.b32 %r3, %r2, 4;
      mov.u32 %r4, s;
      setp.eq.u32 %p0, %t, 0;
      """;

  private static void run(String body, long seed) {
    PtxLab.run(
        PtxLab.entry(WORDS + body), new PtxLab.Setup(1, 32, 0, seed), new long[] {1, 2, 3, 4}, 4);
  }

  /** The program is in order, whatever the schedule. */
  private static void clean(String body) {
    for (long seed = 0; seed < SEEDS; seed++) {
      run(body, seed);
    }
  }

  /** Every schedule finds the same. */
  private static void races(String expected, String body) {
    for (long seed = 0; seed < SEEDS; seed++) {
      long s = seed;
      String message = assertThrows(DeviceException.class, () -> run(body, s)).getMessage();
      assertTrue(message.matches("(?s).*" + expected), message);
    }
  }

  @Test
  void readsOfWhatAnotherLaneWrote() {
    String body = "st.shared.u32 [%r2], %t;\nBARRIER\nld.shared.u32 %r5, [%r3];";
    String message =
        assertThrows(DeviceException.class, () -> run(body.replace("BARRIER", ""), 1)).getMessage();
    assertEquals(
        "CUDA_ERROR_LAUNCH_FAILED (719): kernel=test line=27 'ld.shared.u32' block=(0,0,0) warp=0"
            + " lane=0: read of 4 bytes at shared address=0x404 races with a write by lane 1 at"
            + " line 25: no bar.warp.sync between",
        message);
    clean(body.replace("BARRIER", "bar.warp.sync -1;"));
    clean(body.replace("BARRIER", "bar.sync 0;"));
    clean(body.replace("BARRIER", "barrier.sync 1, 32;"));
  }

  /** Instructions that all lanes run together, and fences alone, do not order their memory. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "shfl.sync.bfly.b32 %r5, %t, 1, 31, -1;",
        "vote.sync.ballot.b32 %r5, %p0, -1;",
        "match.any.sync.b32 %r5, %t, -1;",
        "redux.sync.add.s32 %r5, %t, -1;",
        "movmatrix.sync.aligned.m8n8.trans.b16 %r5, %t;",
        "bar.arrive 1, 64; bar.arrive 1, 64;",
        "membar.cta;"
      })
  void whatOrdersNothing(String instruction) {
    races(
        "write by lane \\d+ at line 25: no bar.warp.sync between",
        "st.shared.u32 [%r2], %t;\n" + instruction + "\nld.shared.u32 %r6, [%r3];");
  }

  @Test
  void writesOfWhatAnotherLaneRead() {
    String body =
        """
        st.shared.u32 [%r2], %t;
        bar.warp.sync -1;
        ld.shared.u32 %r5, [%r3];
        BARRIER
        st.shared.u32 [%r2], 7;
        """;
    races("write of .* races with a read by lane 1 at line 27: .*", body.replace("BARRIER", ""));
    clean(body.replace("BARRIER", "bar.warp.sync -1;"));
  }

  /** Of many lanes that read a word, any but the one that writes it is in its way. */
  @ParameterizedTest
  @CsvSource({"0, lane 31", "9, lane 31", "31, another lane"})
  void writesOfWhatAllLanesRead(int writer, String reader) {
    String body =
        """
        @%p0 st.shared.u32 [%r4], 5;
        bar.warp.sync -1;
        ld.shared.u32 %r5, [%r4];
        BARRIER
        setp.eq.u32 %p1, %t, WRITER;
        @%p1 st.shared.u32 [%r4], 6;
        """
            .replace("WRITER", Integer.toString(writer));
    races("lane=" + writer + ": .* read by " + reader + " at .*", body.replace("BARRIER", ""));
    clean(body.replace("BARRIER", "bar.warp.sync -1;"));
  }

  @Test
  void oneLaneIsInOrderWithItself() {
    clean(
        """
        st.shared.u32 [%r2], %t;
        ld.shared.u32 %r5, [%r2];
        st.shared.u8 [%r2+1], %r5;
        ld.shared.u16 %r6, [%r2];
        st.shared.u32 [%r2], %r6;
        @%p0 st.shared.u32 [%r2], 3;
        red.shared.add.u32 [%r2], 1;
        ld.shared.u32 %r5, [%r2];
        """);
  }

  /** Four lanes share a word; each has a byte of it. */
  @Test
  void bytesOfAWord() {
    String own = "add.s32 %r2, %r1, %t;\nxor.b32 %r3, %r2, 1;\n";
    String body =
        own
            + """
            st.shared.u8 [%r2], %t;
            ld.shared.u8 %r5, [%r2];
            FIRST
            ld.shared.u8 %r5, [OTHER];
            SECOND
            st.shared.u8 [%r2], 9;
            """;
    String both = body.replace("FIRST", "bar.warp.sync -1;").replace("OTHER", "%r3");
    clean(body.replace("FIRST", "").replace("OTHER", "%r2").replace("SECOND", ""));
    clean(both.replace("SECOND", "bar.warp.sync -1;"));
    races(
        "read of 1 bytes at shared address=0x400 races with a write by lane 0 at line 27: .*",
        body.replace("FIRST", "")
            .replace("SECOND", "")
            .replace("ld.shared.u8 %r5, [OTHER];", "@!%p0 ld.shared.u8 %r5, [%r4];"));
    races("lane=0: write of 1 bytes .* read by lane 1 at line 30: .*", both.replace("SECOND", ""));
    races(
        "lane=0: read of 4 bytes at shared address=0x400 races with a write by lane 1 .*",
        both.replace("bar.warp.sync -1;", "@%p0 ld.shared.u32 %r5, [%r1];").replace("SECOND", ""));
  }

  /** As racecheck does, writes of one value by several lanes are let through. */
  @Test
  void writesOfTwoLanes() {
    races(
        "lane=1: write of 4 bytes at shared address=0x400 races with a write of another value by"
            + " lane 0 at line 25: no bar.warp.sync between",
        "st.shared.u32 [%r4], %t;");
    clean("st.shared.u32 [%r4], 7;");
    clean("st.shared.u32 [%r4], 7;\n@%p0 st.shared.u32 [%r4], 7;");
    races(
        "value by lane 31 at line 25: .*", "st.shared.u32 [%r4], 7;\n@%p0 st.shared.u32 [%r4], 8;");
    clean("st.shared.u32 [%r4], 7;\nbar.warp.sync -1;\n@%p0 st.shared.u32 [%r4], 8;");
    String generic = "cvt.u64.u32 %rd0, %r4; cvta.shared.u64 %rd0, %rd0; st.u32 [%rd0], ";
    races("value by lane 0 at line 25: .*", generic + "%t;");
    clean(generic + "7;");
    // A longer write over the same value of another lane may change what nobody else wrote.
    clean(
        """
        @%p0 st.shared.u32 [%r4], 7;
        setp.eq.u32 %p1, %t, 1;
        mov.u32 %r5, 7;
        @%p1 st.shared.v2.u32 [%r4], {%r5, %t};
        """);
  }

  /** Half of the warp has a barrier of its own. */
  @Test
  void barriersOfSomeLanes() {
    String body =
        """
        st.shared.u32 [%r2], %t;
        setp.lt.u32 %p1, %t, 16;
        @%p1 bra LOW;
        bar.warp.sync 0xffff0000;
        bra READ;
        LOW:
        bar.warp.sync 0xffff;
        READ:
        WHOLE
        xor.b32 %r3, %r2, OFFSET;
        ld.shared.u32 %r5, [%r3];
        """;
    clean(body.replace("WHOLE", "").replace("OFFSET", "4"));
    races("write by lane \\d+ at line 25: .*", body.replace("WHOLE", "").replace("OFFSET", "64"));
    clean(body.replace("WHOLE", "bar.warp.sync -1;").replace("OFFSET", "64"));
  }

  /** Lanes 0 to 3 wait for 4 to 15, whatever the other half does meanwhile. */
  @Test
  void barriersOfOtherLanesLetNobodyThrough() {
    clean(
        """
        setp.lt.u32 %p1, %t, 4;
        setp.gt.u32 %p2, %t, 15;
        @%p2 bra HIGH;
        @!%p1 bra LATE;
        bar.warp.sync 0xffff;
        ld.shared.u32 %r5, [%r2+16];
        bra DONE;
        HIGH:
        bar.warp.sync 0xffff0000;
        bra DONE;
        LATE:
        st.shared.u32 [%r2], %t;
        bar.warp.sync 0xffff;
        DONE:
        """);
  }

  /** Lanes 0 and 1 meet, then 1 and 2: 2 is behind 0 by way of 1, and 0 is not behind 2. */
  @Test
  void barriersInAChain() {
    String body =
        """
        setp.gt.u32 %p1, %t, 2;
        @%p1 bra DONE;
        st.shared.u32 [%r2], %t;
        setp.eq.u32 %p2, %t, 2;
        @!%p2 bar.warp.sync 3;
        @!%p0 bar.warp.sync 6;
        setp.eq.u32 %p3, %t, READER;
        @%p3 ld.shared.u32 %r5, [%r4+WRITTEN];
        DONE:
        """;
    clean(body.replace("READER", "2").replace("WRITTEN", "0"));
    races(
        "lane=[02]: (read of .* a write|write of .* a read) by lane [02] at .*"
            + "|uninitialised shared address=0x408",
        body.replace("READER", "0").replace("WRITTEN", "8"));
  }

  @Test
  void atomicsAndFlags() {
    String sum = "@%p0 st.shared.u32 [%r4], 0;\nbar.warp.sync -1;\nred.shared.add.u32 [%r4], 1;\n";
    races("write by lane \\d+ at line 27: .*", sum + "ld.shared.u32 %r5, [%r4];");
    clean(sum + "bar.warp.sync -1;\nld.shared.u32 %r5, [%r4];");
    clean(sum + "ld.volatile.shared.u32 %r5, [%r4];");
    clean(
        """
        @!%p0 bra SET;
        st.shared.u32 [%r4+4], 0;
        SET:
        bar.warp.sync -1;
        @!%p0 bra WAIT;
        st.shared.u32 [%r4], 5;
        st.volatile.shared.u32 [%r4+4], 1;
        bra DONE;
        WAIT:
        ld.volatile.shared.u32 %r5, [%r4+4];
        setp.ne.u32 %p1, %r5, 1;
        @%p1 bra WAIT;
        ld.shared.u32 %r6, [%r4];
        DONE:
        """);
  }

  @Test
  void mbarriersOrderLanes() {
    clean(
        """
        .shared .align 8 .b64 bar;
        mov.u32 %r8, bar;
        @%p0 mbarrier.init.shared.b64 [%r8], 32;
        bar.warp.sync -1;
        st.shared.u32 [%r2], %t;
        mbarrier.arrive.shared.b64 %rd4, [%r8];
        WAIT:
        mbarrier.test_wait.parity.shared.b64 %p2, [%r8], 0;
        @!%p2 bra WAIT;
        ld.shared.u32 %r5, [%r3];
        """);
  }

  /** A lane that waits for its copies sees its own. */
  @Test
  void copiesAreTheirLanesUntilABarrier() {
    String body =
        """
        cp.async.ca.shared.global [%r2], [%in], 4;
        cp.async.wait_all;
        ld.shared.u32 %r5, [%r2];
        FIRST
        ld.shared.u32 %r5, [%r3];
        SECOND
        cp.async.ca.shared.global [%r2], [%in+8], 4;
        """;
    String both = body.replace("FIRST", "bar.warp.sync -1;");
    clean(both.replace("SECOND", "bar.warp.sync -1;"));
    races(
        "read of .* write by lane 1 at line 25: .*",
        body.replace("FIRST", "").replace("SECOND", ""));
    races("write of .* read by lane 1 at line 29: .*", both.replace("SECOND", ""));
  }

  /** A barrier of the warp does not make another warp forget the bytes before it. */
  @Test
  void otherWarpsSeeBytesFromBeforeABarrierOfTheWarp() {
    String body =
        WORDS
            + """
            setp.lt.u32 %p1, %t, 32;
            @%p0 st.shared.u32 [%r4], 0;
            bar.sync 0;
            @%p0 st.shared.u8 [%r4], 1;
            bar.warp.sync -1;
            @%p0 st.shared.u8 [%r4+1], 1;
            bar.warp.sync -1;
            @!%p1 ld.shared.u8 %r5, [%r4];
            """;
    for (long seed = 0; seed < SEEDS; seed++) {
      PtxLab.Setup setup = new PtxLab.Setup(1, 64, 0, seed);
      String message =
          assertThrows(
                  DeviceException.class,
                  () -> PtxLab.run(PtxLab.entry(body), setup, new long[] {0}, 1))
              .getMessage();
      assertTrue(message.matches("(?s).* by warp [01] at .*"), message);
    }
  }
}
