package org.sinkq.cli.replay;

/** How far one result is from another. */
final class ErrorMeter {
  private double squaredError;
  private double squaredReference;
  private double max;

  /** Takes in {@code count} elements of both. */
  void add(float[] actual, float[] reference, int count) {
    for (int i = 0; i < count; i++) {
      double error = (double) actual[i] - reference[i];
      squaredError += error * error;
      squaredReference += (double) reference[i] * reference[i];
      max = Math.max(max, Math.abs(error));
    }
  }

  /** Euclidean norm of the error over that of the reference; 0 where both are 0. */
  double relative() {
    return squaredError == 0 ? 0 : Math.sqrt(squaredError / squaredReference);
  }

  /** Largest absolute error. */
  double max() {
    return max;
  }
}
