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
  private static final int STDERR = 2;

  private final OutputStream target = new FileOutputStream(FileDescriptor.err);
  private int real;

  private StandardError(int real) {
    this.real = real;
  }

  /**
   * Opens it.
   *
   * @param real descriptor of the real stderr, or 0 if it is where it belongs
   */
  static PrintWriter writer(int real) {
    return new PrintWriter(
        new OutputStreamWriter(new StandardError(real), StandardCharsets.UTF_8), true);
  }

  @Override
  public void write(int b) throws IOException {
    write(new byte[] {(byte) b}, 0, 1);
  }

  @Override
  public void write(byte[] bytes, int offset, int length) throws IOException {
    if (real != 0) {
      restore(real);
      real = 0;
    }
    target.write(bytes, offset, length);
  }

  @SuppressWarnings("restricted") // dup2 takes nothing but numbers
  private static void restore(int real) {
    try {
      Linker linker = Linker.nativeLinker();
      MethodHandle dup2 =
          linker.downcallHandle(
              linker.defaultLookup().findOrThrow("dup2"),
              FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
      int result = (int) dup2.invokeExact(real, STDERR);
      assert result == STDERR : result;
    } catch (Throwable e) {
      // Without it stderr still works, only through the filter.
      assert e != null;
    }
  }
}
