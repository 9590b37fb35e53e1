package org.sinkq.cli;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;

/**
 * The real stderr.
 *
 * <p>Java announces every incubating module on stderr before the first line of a program runs, and
 * has no switch against it. The launcher therefore starts Java with stderr led through a filter and
 * the real one as file descriptor 3. The first byte written here makes the latter descriptor 2
 * again, so that progress lines reach the terminal unbuffered and the filter ends; commands that
 * have nothing to say save the time.
 */
final class StandardError extends OutputStream {
  /** System property that the launcher sets to the descriptor of the real stderr. */
  private static final String PROPERTY = "sinkq.stderr";

  private static final int STDERR = 2;

  private final OutputStream target = new FileOutputStream(FileDescriptor.err);
  private boolean restored;

  private StandardError() {}

  static PrintWriter writer() {
    return new PrintWriter(
        new OutputStreamWriter(new StandardError(), StandardCharsets.UTF_8), true);
  }

  @Override
  public void write(int b) throws IOException {
    write(new byte[] {(byte) b}, 0, 1);
  }

  @Override
  public void write(byte[] bytes, int offset, int length) throws IOException {
    if (!restored) {
      restored = true;
      restore();
    }
    target.write(bytes, offset, length);
  }

  @SuppressWarnings("restricted") // dup2 and close take nothing but numbers
  private static void restore() {
    Integer real = Integer.getInteger(PROPERTY);
    if (real == null) {
      return;
    }
    try {
      Linker linker = Linker.nativeLinker();
      MemorySegment dup2 = linker.defaultLookup().findOrThrow("dup2");
      MemorySegment close = linker.defaultLookup().findOrThrow("close");
      MethodHandle call =
          linker.downcallHandle(dup2, FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
      int result = (int) call.invokeExact((int) real, STDERR);
      if (result == STDERR) {
        int closed =
            (int)
                linker
                    .downcallHandle(close, FunctionDescriptor.of(JAVA_INT, JAVA_INT))
                    .invokeExact((int) real);
        assert closed == 0 : closed;
      }
    } catch (Throwable e) {
      // Without it stderr still works, only through the filter.
      assert e != null;
    }
  }
}
