package org.sinkq.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Softmax of the rows of an fp16 matrix in place, sums in fp32: what plain attention has between
 * its two products. Written as PTX here, since only the benchmark needs it.
 *
 * <p>A block of 256 threads a row, 16 bytes a thread at a time, three passes: maximum, sum, result.
 */
final class SoftmaxKernel {
  private static final int THREADS = 256;

  /** Columns come in multiples of what a block reads at a time. */
  static final int COLUMN_UNIT = THREADS * 8;

  private static final String HEAD =
      """
      .version 7.8
      .target sm_80
      .address_size 64
      .visible .entry softmax(.param .align 8 .b8 p[16])
      {
      .reg .pred %more, %first;
      .reg .b16 %h<2>;
      .reg .b32 %i, %n, %t, %s, %w, %x<4>, %top;
      .reg .f32 %max, %sum, %one, %f<2>;
      .reg .b64 %row, %at, %wide;
      .shared .align 4 .b8 parts[32];
      ld.param.u64 %row, [p];
      ld.param.u32 %n, [p+8];
      shl.b32 %n, %n, 1;
      mov.u32 %t, %ctaid.x;
      mul.wide.u32 %wide, %t, %n;
      add.s64 %row, %row, %wide;
      mov.u32 %t, %tid.x;
      shr.u32 %w, %t, 5;
      shl.b32 %w, %w, 2;
      mov.u32 %s, parts;
      add.s32 %w, %s, %w;
      shl.b32 %t, %t, 4;
      """;

  private final StringBuilder text = new StringBuilder(HEAD);
  private int labels;

  private SoftmaxKernel() {}

  /** The program. */
  static String ptx() {
    return new SoftmaxKernel().build();
  }

  private String build() {
    add("mov.b32 %top, 0xFC00FC00;");
    loop(false, k -> add("max.f16x2 %%top, %%top, %%x%d;", k));
    add("mov.b32 {%h0, %h1}, %top;");
    add("max.f16 %h0, %h0, %h1;");
    add("cvt.f32.f16 %max, %h0;");
    reduce("max", "%max");
    add("mov.f32 %sum, 0f00000000;");
    loop(
        false,
        k -> {
          powers(k);
          add("add.f32 %sum, %sum, %f0;");
          add("add.f32 %sum, %sum, %f1;");
        });
    reduce("add", "%sum");
    add("rcp.rn.f32 %sum, %sum;");
    loop(
        true,
        k -> {
          powers(k);
          add("mul.f32 %f0, %f0, %sum;");
          add("mul.f32 %f1, %f1, %sum;");
          add("cvt.rn.f16x2.f32 %%x%d, %%f1, %%f0;", k);
        });
    add("ret;\n}");
    return text.toString();
  }

  private interface Step {
    void on(int register);
  }

  private void add(String line, Object... values) {
    text.append(values.length == 0 ? line : line.formatted(values)).append('\n');
  }

  /** Runs a step on every pair of halves of this thread's part of the row. */
  private void loop(boolean store, Step step) {
    String label = "L" + labels++;
    add("mov.u32 %i, %t;");
    add(label + ":");
    add("cvt.u64.u32 %at, %i;");
    add("add.s64 %at, %row, %at;");
    add("ld.global.v4.b32 {%x0, %x1, %x2, %x3}, [%at];");
    for (int k = 0; k < 4; k++) {
      step.on(k);
    }
    if (store) {
      add("st.global.v4.b32 [%at], {%x0, %x1, %x2, %x3};");
    }
    add("add.s32 %%i, %%i, %d;", 16 * THREADS);
    add("setp.lt.u32 %more, %i, %n;");
    add("@%%more bra %s;", label);
  }

  /** exp(x - max) of both halves. */
  private void powers(int register) {
    add("mov.b32 {%%h0, %%h1}, %%x%d;", register);
    for (int k = 0; k < 2; k++) {
      add("cvt.f32.f16 %%f%d, %%h%d;", k, k);
      add("sub.f32 %%f%d, %%f%d, %%max;", k, k);
      add("mul.f32 %%f%d, %%f%d, 0f3FB8AA3B;", k, k); // log2 e
      add("ex2.approx.f32 %%f%d, %%f%d;", k, k);
    }
  }

  /** Combines a register of all threads of the block. */
  private void reduce(String op, String register) {
    for (int lanes = 16; lanes > 0; lanes /= 2) {
      add("mov.b32 %%i, %s;", register);
      add("shfl.sync.bfly.b32 %%i, %%i, %d, 31, -1;", lanes);
      add("mov.b32 %f0, %i;");
      add("%s.f32 %s, %s, %%f0;", op, register, register);
    }
    add("bar.sync 0;");
    add("st.shared.f32 [%%w], %s;", register);
    add("bar.sync 0;");
    add("ld.shared.f32 %s, [parts];", register);
    for (int warp = 1; warp < THREADS / 32; warp++) {
      add("ld.shared.f32 %%f0, [parts+%d];", 4 * warp);
      add("%s.f32 %s, %s, %%f0;", op, register, register);
    }
  }

  /**
   * A launch for a matrix.
   *
   * @param data address of [rows, columns] fp16
   * @param columns a multiple of {@link #COLUMN_UNIT}
   */
  static CudaDevice.Launch launch(CudaDevice device, long data, int rows, int columns) {
    if (columns % COLUMN_UNIT != 0) {
      throw new IllegalArgumentException(
          "columns=" + columns + ", expected a multiple of " + COLUMN_UNIT);
    }
    CudaDevice.Function function = device.function(device.load(ptx()), "softmax");
    MemorySegment parameter = Arena.ofAuto().allocate(16, Long.BYTES);
    parameter.set(ValueLayout.JAVA_LONG, 0, data);
    parameter.set(ValueLayout.JAVA_INT, Long.BYTES, columns);
    return new CudaDevice.Launch(function, rows, 1, 1, THREADS, 0, parameter);
  }
}
