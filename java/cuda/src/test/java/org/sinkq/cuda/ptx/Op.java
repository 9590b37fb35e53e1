package org.sinkq.cuda.ptx;

/**
 * A decoded instruction.
 *
 * @param guard index of the guard predicate, or -1
 * @param negated whether it runs where the guard is false
 */
record Op(Action action, int guard, boolean negated, int line, String text) {

  /** What an instruction does to a warp. */
  @FunctionalInterface
  interface Action {
    /**
     * Runs for the lanes of a mask, which is not empty. The warp's pc is already behind the
     * instruction.
     */
    void run(Warp warp, int mask);
  }
}
