package org.sinkq.cuda.ptx;

import org.sinkq.cuda.CudaDevice;

/**
 * A small PTX program with operands and with the results that plain Java computes: what any device,
 * interpreted or not, has to give back.
 *
 * @param name for people
 * @param program text, shape and operands
 * @param expected 64-bit words of results
 * @param match when a result is as good as the expected one
 */
public record PtxCase(String name, PtxLab.Program program, long[] expected, Match match) {
  /** Compares results. */
  public interface Match {
    /** Whether word {@code index} of the results may be {@code actual}. */
    boolean holds(long expected, long actual, int index);
  }

  /** Bit by bit. */
  static final Match BITS = (expected, actual, index) -> expected == actual;

  /** Singles; any NaN is as good as another, as PTX leaves open which one comes out. */
  static final Match SINGLES =
      (expected, actual, index) -> expected == actual || (isNan(expected) && isNan(actual));

  /** Pairs of halves likewise. */
  static final Match HALVES =
      (expected, actual, index) ->
          sameHalf((int) expected, (int) actual)
              && sameHalf((int) (expected >>> 16), (int) (actual >>> 16));

  /** Singles that are at most so many units in the last place away. */
  static Match ulps(int count) {
    return (expected, actual, index) ->
        SINGLES.holds(expected, actual, index)
            || Math.abs(single(expected) - (double) single(actual))
                <= count * (double) Math.ulp(single(expected));
  }

  private static float single(long bits) {
    return Float.intBitsToFloat((int) bits);
  }

  private static boolean isNan(long bits) {
    return Float.isNaN(single(bits)) && bits >>> 32 == 0;
  }

  private static boolean sameHalf(int expected, int actual) {
    boolean nan = (expected & 0x7fff) > 0x7c00;
    return nan ? (actual & 0x7fff) > 0x7c00 : (expected & 0xffff) == (actual & 0xffff);
  }

  /** Runs the program and compares. */
  public void check(CudaDevice device) {
    long[] actual = PtxLab.run(device, program);
    for (int i = 0; i < expected.length; i++) {
      if (!match.holds(expected[i], actual[i], i)) {
        throw new AssertionError(
            "%s: word %d is %016x on %s, expected %016x"
                .formatted(name, i, actual[i], device.facts().name(), expected[i]));
      }
    }
  }

  /** Its name, for the names of tests. */
  @Override
  public String toString() {
    return name;
  }
}
