package org.sinkq.cuda.ptx;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Exchange between lanes, control flow of diverged warps, barriers and atomics. */
final class WarpOpsTest {
  private static final String STORE =
      "\nmul.wide.u32 %rd9, %t, 8;\nadd.s64 %rd9, %out, %rd9;\nst.global.u32 [%rd9], %r10;\n";

  private static long[] run(String body, int threads, long seed) {
    return PtxLab.run(
        PtxLab.entry(body + STORE),
        new PtxLab.Setup(1, threads, 0, seed),
        new long[] {0, 0, 0, 0},
        threads);
  }

  private static long[] run(String body) {
    return run(body, 32, 1);
  }

  /** Modes of the shuffle on the definition's own terms, in segments of 32 and of 8 lanes. */
  @ParameterizedTest
  @CsvSource({
    "bfly,1,31",
    "bfly,16,31",
    "up,3,0",
    "down,5,31",
    "idx,7,31",
    "bfly,2,6175",
    "up,3,6144",
    "down,5,6175",
    "idx,7,6175"
  })
  void shuffles(String mode, int b, int c) {
    int width = c > 31 ? 8 : 32;
    long[] got = run("shfl.sync.%s.b32 %%r10, %%t, %d, %d, -1;".formatted(mode, b, c));
    for (int lane = 0; lane < 32; lane++) {
      int first = lane / width * width;
      int from =
          switch (mode) {
            case "bfly" -> lane ^ b;
            case "up" -> lane - b;
            case "down" -> lane + b;
            default -> first + b;
          };
      assertEquals(from < first || from >= first + width ? lane : from, got[lane], "lane=" + lane);
    }
  }

  @Test
  void shufflesTellWhatIsInRange() {
    long[] got = run("shfl.sync.down.b32 %r9|%p1, %t, 30, 31, -1; selp.b32 %r10, 1, 0, %p1;");
    for (int lane = 0; lane < 32; lane++) {
      assertEquals(lane < 2 ? 1 : 0, got[lane]);
    }
  }

  @Test
  void votesMatchesAndReductions() {
    assertEquals(0xffL, run("setp.lt.u32 %p1, %t, 8; vote.sync.ballot.b32 %r10, %p1, -1;")[9]);
    assertEquals(
        1,
        run("setp.lt.u32 %p1, %t, 8; vote.sync.any.pred %p2, %p1, -1; selp.b32 %r10, 1, 0, %p2;")[
            9]);
    assertEquals(
        0,
        run("setp.lt.u32 %p1, %t, 8; vote.sync.all.pred %p2, %p1, -1; selp.b32 %r10, 1, 0, %p2;")[
            0]);
    assertEquals(0x22222222L, run("and.b32 %r1, %t, 3; match.any.sync.b32 %r10, %r1, -1;")[5]);
    assertEquals(0, run("and.b32 %r1, %t, 3; match.all.sync.b32 %r10|%p1, %r1, -1;")[5]);
    assertEquals(496, run("redux.sync.add.s32 %r10, %t, -1;")[5]);
    assertEquals(31, run("redux.sync.max.u32 %r10, %t, -1;")[5]);
    assertEquals(0xffff_ffe1L, run("neg.s32 %r1, %t; redux.sync.min.s32 %r10, %r1, -1;")[5]);
    assertEquals(0x1, run("elect.sync %r1|%p1, -1; vote.sync.ballot.b32 %r10, %p1, -1;")[5]);
    assertEquals(32, run("activemask.b32 %r1; popc.b32 %r10, %r1;")[5]);
  }

  /** Loops of different length, nested branches: every lane gets its own result. */
  @Test
  void divergedLanesKeepTheirWay() {
    String body =
        """
        mov.u32 %r10, 0;
        mov.u32 %r1, 0;
        LOOP:
        setp.ge.u32 %p1, %r1, %t;
        @%p1 bra DONE;
        and.b32 %r2, %r1, 1;
        setp.eq.u32 %p2, %r2, 0;
        @%p2 bra EVEN;
        add.s32 %r10, %r10, 100;
        bra NEXT;
        EVEN:
        add.s32 %r10, %r10, 1;
        NEXT:
        add.s32 %r1, %r1, 1;
        bra LOOP;
        DONE:
        shfl.sync.bfly.b32 %r3, %r10, 1, 31, -1;
        mad.lo.s32 %r10, %r3, 10000, %r10;
        """;
    for (long seed = 0; seed < 30; seed++) {
      long[] got = run(body, 32, seed);
      for (int lane = 0; lane < 32; lane++) {
        int own = (lane + 1) / 2 + lane / 2 * 100;
        int other = ((lane ^ 1) + 1) / 2 + (lane ^ 1) / 2 * 100;
        assertEquals(other * 10000 + own, got[lane], "lane=" + lane + " seed=" + seed);
      }
    }
  }

  @Test
  void indexedBranches() {
    long[] got =
        run(
            """
            and.b32 %r1, %t, 3;
            mov.u32 %r10, 0;
            ts: .branchtargets A, B, C, D;
            brx.idx %r1, ts;
            A: add.s32 %r10, %r10, 1;
            B: add.s32 %r10, %r10, 10;
            C: add.s32 %r10, %r10, 100;
            D: add.s32 %r10, %r10, 1000;
            """);
    for (int lane = 0; lane < 32; lane++) {
      assertEquals(new int[] {1111, 1110, 1100, 1000}[lane & 3], got[lane]);
    }
  }

  /** A lock that lanes of one warp take from each other: a lane that spins must not starve it. */
  @Test
  void lanesOfAWarpShareALock() {
    String body =
        """
        AGAIN:
        atom.acquire.gpu.global.cas.b32 %r1, [%in], 0, 1;
        setp.ne.u32 %p1, %r1, 0;
        @%p1 bra AGAIN;
        ld.global.u32 %r10, [%in+8];
        add.s32 %r2, %r10, 1;
        st.global.u32 [%in+8], %r2;
        atom.release.gpu.global.exch.b32 %r3, [%in], 0;
        """;
    long[] got = run(body, 64, 5);
    java.util.Arrays.sort(got);
    for (int i = 0; i < 64; i++) {
      assertEquals(i, got[i]);
    }
  }

  @Test
  void blockBarriersReduce() {
    String count = "setp.lt.u32 %p1, %t, 40; barrier.cta.red.popc.aligned.u32 %r10, 0, %p1;";
    assertEquals(40, run(count, 96, 2)[95]);
    String or = "setp.eq.u32 %p1, %t, 40; bar.red.or.pred %p2, 0, %p1; selp.b32 %r10, 1, 0, %p2;";
    assertEquals(1, run(or, 96, 2)[0]);
    String and = "setp.ne.u32 %p1, %t, 40; bar.red.and.pred %p2, 0, %p1; selp.b32 %r10, 1, 0, %p2;";
    assertEquals(0, run(and, 96, 2)[0]);
  }

  @Test
  void barriersForSomeWarps() {
    String body =
        """
        .shared .b32 s[1];
        setp.lt.u32 %p1, %t, 32;
        @%p1 bra PRODUCER;
        bar.sync 1, 64;
        ld.shared.u32 %r10, [s];
        bra DONE;
        PRODUCER:
        st.shared.u32 [s], 77;
        bar.arrive 1, 64;
        mov.u32 %r10, 0;
        DONE:
        """;
    for (long seed = 0; seed < 10; seed++) {
      assertEquals(77, run(body, 64, seed)[40]);
    }
  }

  @Test
  void warpBarriersMeetAtDifferentLines() {
    String body =
        """
        .shared .b32 s[32];
        mov.u32 %r1, s;
        setp.lt.u32 %p1, %t, 16;
        @%p1 bra LOW;
        shl.b32 %r2, %t, 2;
        add.s32 %r2, %r2, %r1;
        st.shared.u32 [%r2], %t;
        bar.warp.sync -1;
        mov.u32 %r10, 0;
        bra DONE;
        LOW:
        bar.warp.sync -1;
        shl.b32 %r2, %t, 2;
        add.s32 %r2, %r2, %r1;
        ld.shared.u32 %r10, [%r2+64];
        DONE:
        """;
    for (long seed = 0; seed < 10; seed++) {
      assertEquals(20, run(body, 32, seed)[4]);
    }
  }

  /** The last block to arrive sees what all others wrote, in any order of blocks. */
  @Test
  void theLastBlockMerges() {
    String ptx =
        PtxLab.entry(
            """
            mov.u32 %r0, %ctaid.x;
            mov.u32 %r1, %nctaid.x;
            mul.wide.u32 %rd0, %r0, 8;
            add.s64 %rd1, %out, %rd0;
            st.global.u64 [%rd1+8], %rd0;
            sub.s32 %r2, %r1, 1;
            atom.acq_rel.gpu.global.inc.u32 %r3, [%in], %r2;
            setp.ne.u32 %p1, %r3, %r2;
            @%p1 bra DONE;
            mov.u64 %rd2, 0;
            mov.u32 %r4, 0;
            SUM:
            mul.wide.u32 %rd3, %r4, 8;
            add.s64 %rd3, %out, %rd3;
            ld.global.u64 %rd4, [%rd3+8];
            add.s64 %rd2, %rd2, %rd4;
            add.s32 %r4, %r4, 1;
            setp.lt.u32 %p2, %r4, %r1;
            @%p2 bra SUM;
            st.global.u64 [%out], %rd2;
            DONE:
            """);
    for (long seed = 0; seed < 10; seed++) {
      long[] got = PtxLab.run(ptx, new PtxLab.Setup(9, 1, 0, seed), new long[] {0}, 10);
      assertEquals(8 * 36, got[0], "seed=" + seed);
    }
  }

  @Test
  void atomicsOfAllKinds() {
    long one = Float.floatToRawIntBits(1f);
    String[][] cases = {
      {"add.u32", "5", "7", "12"},
      {"min.s32", "-5", "7", "4294967291"},
      {"max.u32", "-5", "7", "4294967291"},
      {"inc.u32", "5", "5", "0"},
      {"inc.u32", "4", "5", "5"},
      {"dec.u32", "0", "9", "9"},
      {"exch.b32", "5", "7", "7"},
      {"and.b32", "12", "10", "8"},
      {"or.b32", "12", "10", "14"},
      {"xor.b32", "12", "10", "6"},
      {"add.f32", Long.toString(one), Long.toString(one), Long.toString(0x40000000L)},
    };
    for (String[] c : cases) {
      String body =
          "mov.b32 %%r1, %s; st.global.b32 [%%in], %%r1; mov.b32 %%r2, %s; red.global.%s [%%in], %%r2;"
              .formatted(c[1], c[2], c[0]);
      assertEquals(c[3], Long.toString(run(body + "ld.global.b32 %r10, [%in];", 1, 1)[0]), c[0]);
      long old = Integer.toUnsignedLong((int) Long.parseLong(c[1]));
      String atom = body.replace("red.global." + c[0], "atom.global." + c[0] + " %r10,");
      assertEquals(old, run(atom, 1, 1)[0], c[0]);
    }
  }

  @Test
  void everyLaneAddsOnce() {
    String body = "red.global.add.u64 [%in], 3; bar.sync 0; ld.global.u32 %r10, [%in];";
    for (long seed = 0; seed < 5; seed++) {
      assertEquals(3 * 96, run(body, 96, seed)[17]);
    }
  }

  @Test
  void randomProgramsOfShufflesAgree() {
    SplittableRandom random = new SplittableRandom(9);
    for (int i = 0; i < 20; i++) {
      int xor = random.nextInt(32);
      assertEquals(
          3 ^ xor, run("shfl.sync.bfly.b32 %r10, %t, " + xor + ", 31, -1;")[3], "xor=" + xor);
    }
  }
}
