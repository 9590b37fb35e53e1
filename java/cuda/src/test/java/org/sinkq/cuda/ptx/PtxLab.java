package org.sinkq.cuda.ptx;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Locale;
import org.sinkq.cuda.CudaDevice;

/** Runs small PTX programs for tests, interpreted or on a real device. */
public final class PtxLab {
  static final String HEADER = ".version 9.0\n.target sm_90a\n.address_size 64\n";

  private PtxLab() {}

  /**
   * An entry {@code test}, whose parameter is a struct (in, out, n) as launches pass it; has the
   * addresses in %in and %out and declares the usual registers.
   */
  static String entry(String body) {
    return HEADER
        + """
        .visible .entry test(.param .align 8 .b8 p_all[24])
        {
        .reg .pred %p<16>;
        .reg .b16 %h<16>;
        .reg .b32 %r<64>;
        .reg .f32 %f<16>;
        .reg .f64 %fd<8>;
        .reg .b64 %rd<32>;
        .reg .b64 %in, %out;
        .reg .b32 %t, %n;
        ld.param.u64 %in, [p_all];
        ld.param.u64 %out, [p_all+8];
        ld.param.u32 %n, [p_all+16];
        mov.u32 %t, %tid.x;
        """
        + body
        + "\nret;\n}\n";
  }

  /**
   * A program and what it works on.
   *
   * @param ptx with an entry {@code test}, see {@link #entry}
   * @param in 64-bit words
   * @param out number of words that it writes
   */
  record Program(String ptx, Setup setup, long[] in, int out) {}

  /** What a run needs besides its text. */
  record Setup(int blocks, int threads, int dynamicShared, long seed) {
    static Setup of(int threads) {
      return new Setup(1, threads, 0, 1);
    }
  }

  /**
   * Runs an entry {@code test} on 64-bit words.
   *
   * @param out number of words that it writes
   */
  static long[] run(String ptx, Setup setup, long[] in, int out) {
    try (InterpretedDevice device = InterpretedDevice.hopper(setup.seed())) {
      return run(device, new Program(ptx, setup, in, out));
    }
  }

  /** Runs a program on a device. */
  static long[] run(CudaDevice device, Program program) {
    Setup setup = program.setup;
    long[] in = program.in;
    int out = program.out;
    CudaDevice.Stream stream = device.createStream();
    try (Arena arena = Arena.ofConfined()) {
      long from = device.allocate(Math.max(in.length, 1) * 8L);
      long to = device.allocate(Math.max(out, 1) * 8L);
      if (in.length > 0) {
        device.copyToDevice(from, arena.allocateFrom(ValueLayout.JAVA_LONG, in), stream);
      }
      device.fill(to, (byte) 0, Math.max(out, 1) * 8L, stream);
      CudaDevice.Function function = device.function(device.load(program.ptx), "test");
      if (setup.dynamicShared() > 48 << 10) {
        device.allowDynamicShared(function, setup.dynamicShared());
      }
      MemorySegment parameter = arena.allocate(24, 8);
      parameter.set(ValueLayout.JAVA_LONG, 0, from);
      parameter.set(ValueLayout.JAVA_LONG, 8, to);
      parameter.set(ValueLayout.JAVA_INT, 16, in.length);
      device.launch(
          new CudaDevice.Launch(
              function, setup.blocks(), 1, 1, setup.threads(), setup.dynamicShared(), parameter),
          stream);
      MemorySegment result = arena.allocate(Math.max(out, 1) * 8L, 8);
      device.copyToHost(result, to, stream);
      device.synchronize(stream);
      device.free(from);
      device.free(to);
      device.destroy(stream);
      return result.toArray(ValueLayout.JAVA_LONG);
    }
  }

  /**
   * Runs one instruction {@code op %d, %a, %b, %c;} on rows of operands.
   *
   * @param types of result and sources, such as {@code "b32 b32 b32"}; {@code pred} is one too
   * @param rows operands of each execution, one row a thread
   * @return the results' bits, zero-extended
   */
  static long[] each(String op, String types, long[][] rows) {
    return sequence(instruction(op, types), types, rows);
  }

  /** The text of one instruction on the operands that {@link #program} loads. */
  static String instruction(String op, String types) {
    return op + " " + operands(types) + ";";
  }

  private static String operands(String types) {
    int count = types.split(" ", -1).length;
    return String.join(", ", java.util.List.of("%d", "%a", "%b", "%c", "%e").subList(0, count));
  }

  /** Like {@link #each} for code that names the operands itself. */
  static long[] sequence(String code, String types, long[][] rows) {
    Program program = program(code, types, rows);
    return run(program.ptx, program.setup, program.in, program.out);
  }

  /** The program that runs code on each row of operands. */
  static Program program(String code, String types, long[][] rows) {
    String[] type = types.split(" ", -1);
    String[] names = {"%d", "%a", "%b", "%c", "%e"};
    StringBuilder body = new StringBuilder();
    for (int k = 0; k < type.length; k++) {
      body.append(".reg .%s %s;\n".formatted(type[k], names[k]));
    }
    body.append(
        """
        mov.u32 %r0, %ctaid.x;
        mov.u32 %r1, %ntid.x;
        mad.lo.s32 %r0, %r0, %r1, %t;
        """);
    int sources = type.length - 1;
    body.append("mul.wide.u32 %rd0, %r0, ").append(8 * sources).append(";\n");
    body.append("add.s64 %rd0, %in, %rd0;\n");
    for (int k = 0; k < sources; k++) {
      boolean predicate = type[k + 1].equals("pred");
      String bits = predicate ? "b32" : bits(type[k + 1]);
      String to = predicate ? "%r2" : names[k + 1];
      body.append("ld.global.%s %s, [%%rd0+%d];\n".formatted(bits, to, 8 * k));
      if (predicate) {
        body.append("setp.ne.b32 ").append(names[k + 1]).append(", %r2, 0;\n");
      }
    }
    body.append("mul.wide.u32 %rd1, %r0, 8;\nadd.s64 %rd1, %out, %rd1;\n");
    body.append(code).append('\n');
    if (type[0].equals("pred")) {
      body.append("selp.b32 %r3, 1, 0, %d;\nst.global.b32 [%rd1], %r3;\n");
    } else {
      body.append("st.global.").append(bits(type[0])).append(" [%rd1], %d;\n");
    }
    long[] in = java.util.Arrays.stream(rows).flatMapToLong(java.util.Arrays::stream).toArray();
    int threads = Math.min(256, rows.length);
    if (rows.length % threads != 0) {
      throw new IllegalArgumentException("rows=" + rows.length + ", expected a multiple of 256");
    }
    Setup setup = new Setup(rows.length / threads, threads, 0, 1);
    return new Program(entry(body.toString()), setup, in, rows.length);
  }

  /**
   * The program in which each lane of a warp loads words of its own into %r0 to %r15, runs code,
   * and stores %r20 to %r23.
   *
   * @param registers [at most 16][32 lanes]
   */
  static Program lanes(String code, int[][] registers) {
    long[] in = new long[32 * 16];
    for (int lane = 0; lane < 32; lane++) {
      for (int k = 0; k < registers.length; k++) {
        in[lane * 16 + k] = registers[k][lane] & 0xffffffffL;
      }
    }
    StringBuilder text =
        new StringBuilder("mul.wide.u32 %rd0, %t, 128;\nadd.s64 %rd0, %in, %rd0;\n");
    for (int k = 0; k < 16; k++) {
      text.append("ld.global.u32 %%r%d, [%%rd0+%d];\n".formatted(k, 8 * k));
    }
    text.append(code).append("mul.wide.u32 %rd1, %t, 32;\nadd.s64 %rd1, %out, %rd1;\n");
    for (int k = 0; k < 4; k++) {
      text.append("st.global.u32 [%%rd1+%d], %%r%d;\n".formatted(8 * k, 20 + k));
    }
    return new Program(entry(text.toString()), Setup.of(32), in, 32 * 4);
  }

  private static String bits(String type) {
    return "b" + PtxType.named(type.toLowerCase(Locale.ROOT)).bits();
  }
}
