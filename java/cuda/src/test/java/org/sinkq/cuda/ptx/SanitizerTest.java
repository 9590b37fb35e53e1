package org.sinkq.cuda.ptx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.sinkq.DeviceException;

/** Each finding of the sanitizer, provoked once, with its words. */
final class SanitizerTest {
  private static String finding(String body, int threads) {
    return finding(PtxLab.entry(body), PtxLab.Setup.of(threads));
  }

  private static String finding(String ptx, PtxLab.Setup setup) {
    return assertThrows(DeviceException.class, () -> PtxLab.run(ptx, setup, new long[] {1, 2}, 4))
        .getMessage();
  }

  private static void ends(String expected, String message) {
    assertTrue(message.endsWith(expected), message);
  }

  @Test
  void accessesBehindAnAllocation() {
    String message = finding("ld.global.u32 %r0, [%in+16];", 1);
    assertEquals(
        "CUDA_ERROR_ILLEGAL_ADDRESS (700): kernel=test line=18 'ld.global.u32' block=(0,0,0)"
            + " warp=0 lane=0: out-of-bounds read of 4 bytes at global address=0x7f1000000010,"
            + " nearest is allocation of 16 bytes [0x7f1000000000, 0x7f1000000010)",
        message);
    ends(
        "out-of-bounds write of 8 bytes at global address=0x8, nearest is none",
        finding("mov.u64 %rd0, 8; st.global.u64 [%rd0], %rd0;", 1));
  }

  @Test
  void usesAfterAFree() {
    DeviceMemory memory = new DeviceMemory(0);
    long address = memory.allocate(64, "pages", false).base;
    assertTrue(memory.free(address));
    Fault fault =
        assertThrows(Fault.class, () -> memory.locate(null, 3, address + 4, 4, Space.Access.READ));
    assertEquals(3, fault.lane);
    ends("it was freed: pages [0x7f1000000000, 0x7f1000000040)", fault.getMessage());
  }

  @Test
  void misalignedAccesses() {
    String message = finding("ld.global.u32 %r0, [%in+2];", 1);
    assertTrue(message.startsWith("CUDA_ERROR_MISALIGNED_ADDRESS (716): "), message);
    ends("misaligned access to global address=0x7f1000000002, expected a multiple of 4", message);
    ends(
        "misaligned access to global address=0x7f1000000308, expected a multiple of 16",
        finding("ld.global.v4.u32 {%r0, %r1, %r2, %r3}, [%out+8];", 1));
    ends(
        "misaligned access to shared address=0x401, expected a multiple of 2",
        finding(".shared .b8 s[8]; st.shared.u16 [s+1], 0;", 1));
  }

  @Test
  void readsOfWhatNobodyWrote() {
    ends(
        "read of 4 bytes at uninitialised shared address=0x404",
        finding(".shared .b32 s[2]; st.shared.u32 [s], %t; ld.shared.u32 %r0, [s+4];", 1));
    DeviceMemory memory = new DeviceMemory(0);
    long address = memory.allocate(64, "pages", false).base;
    memory.locate(null, 0, address, 2, Space.Access.WRITE);
    Fault fault =
        assertThrows(Fault.class, () -> memory.locate(null, 0, address, 4, Space.Access.READ));
    assertEquals(
        "read of 4 bytes at uninitialised global address=0x7f1000000000, offset=0 of pages"
            + " [0x7f1000000000, 0x7f1000000040)",
        fault.getMessage());
  }

  @Test
  void writesOfConstants() {
    String ptx =
        PtxLab.entry("mov.u64 %rd0, c; st.global.u32 [%rd0], %t;")
            .replace(".visible", ".const .b32 c = 5;\n.visible");
    ends("of c [0x7f1000000600, 0x7f1000000604)", finding(ptx, PtxLab.Setup.of(1)));
  }

  @Test
  void sharedMemoryOutOfBounds() {
    ends(
        "out-of-bounds write of 4 bytes at shared address=0x100010, expected static [0x400, 0x400)"
            + " or dynamic [0x100000, 0x100010)",
        finding(
            PtxLab.entry("mov.u32 %r0, s; st.shared.u32 [%r0+16], %r0;")
                .replace(".visible", ".extern .shared .align 16 .b8 s[];\n.visible"),
            new PtxLab.Setup(1, 1, 16, 1)));
  }

  /** The same program with a barrier is clean, whatever the order of the warps. */
  @Test
  void racesOfWarps() {
    String racy =
        """
        .shared .b32 s[64];
        shl.b32 %r0, %t, 2;
        mov.u32 %r1, s;
        add.s32 %r2, %r1, %r0;
        st.shared.u32 [%r2], %t;
        BARRIER
        xor.b32 %r3, %r0, 128;
        add.s32 %r3, %r1, %r3;
        ld.shared.u32 %r4, [%r3];
        """;
    for (long seed = 0; seed < 20; seed++) {
      PtxLab.Setup setup = new PtxLab.Setup(1, 64, 0, seed);
      String ptx = PtxLab.entry(racy.replace("BARRIER", ""));
      String message = finding(ptx, setup);
      assertTrue(
          message.matches(
              ".*(races with a (write|read) by warp [01] at line \\d+: no barrier between"
                  + "|uninitialised shared address=0x[0-9a-f]+)"),
          message);
      PtxLab.run(PtxLab.entry(racy.replace("BARRIER", "bar.sync 0;")), setup, new long[] {0}, 1);
    }
  }

  @Test
  void barriersInDivergentCode() {
    String message =
        finding(
            """
            setp.lt.u32 %p0, %t, 16;
            @%p0 bra FIRST;
            bar.sync 0;
            bra DONE;
            FIRST:
            bar.sync 0;
            DONE:
            """,
            32);
    assertTrue(message.startsWith("CUDA_ERROR_LAUNCH_FAILED (719): "), message);
    ends(
        "line=20 'bar.sync' block=(0,0,0) warp=0 lane=16-31: lanes 0-15 are missing, lane 0 waits"
            + " at line 23",
        message);
  }

  @Test
  void shufflesThatLanesMiss() {
    ends(
        "lane=0-31: lanes 16-31 are missing, lane 16 does not run it: its guard is false",
        finding("setp.lt.u32 %p0, %t, 16; @%p0 shfl.sync.idx.b32 %r0, %t, 0, 31, -1;", 32));
    ends(
        "lane=3: lane is not in membermask=0x7",
        finding("setp.lt.u32 %p0, %t, 4; @%p0 shfl.sync.idx.b32 %r0, %t, 0, 31, 7;", 32));
    ends(
        "lane=1: reads lane 2, which does not take part",
        finding("setp.lt.u32 %p0, %t, 2; @%p0 shfl.sync.down.b32 %r0, %t, 1, 31, 3;", 32));
  }

  @Test
  void barriersThatNeverComplete() {
    String message = finding("setp.lt.u32 %p0, %t, 32; @%p0 bar.sync 1, 64;", 64);
    ends(
        "kernel=test: deadlock: every warp waits\n"
            + "  block=(0,0,0) warp=0: lanes 0-31 wait at line 18 'bar.sync'",
        message);
  }

  @Test
  void loopsThatWaitForNobody() {
    String message =
        finding("W: ld.volatile.global.u32 %r0, [%in]; setp.eq.u32 %p0, %r0, 1; @%p0 bra W;", 1);
    assertTrue(
        message.contains(
            "kernel=test: no progress in 4000000 instructions\n  block=(0,0,0) warp=0: "),
        message);
  }

  @Test
  void traps() {
    ends("lane=5: trap", finding("setp.eq.u32 %p0, %t, 5; @%p0 trap;", 32));
  }

  /** A failed device answers every call with the same error. */
  @Test
  void errorsStick() {
    try (InterpretedDevice device = InterpretedDevice.hopper(1);
        java.lang.foreign.Arena arena = java.lang.foreign.Arena.ofConfined()) {
      var stream = device.createStream();
      var function = device.function(device.load(PtxLab.entry("trap;")), "test");
      device.launch(
          new org.sinkq.cuda.CudaDevice.Launch(function, 1, 1, 1, 1, 0, arena.allocate(24, 8)),
          stream);
      String first =
          assertThrows(DeviceException.class, () -> device.synchronize(stream)).getMessage();
      assertEquals(
          first, assertThrows(DeviceException.class, () -> device.allocate(8)).getMessage());
    }
  }
}
