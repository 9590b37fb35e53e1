package org.sinkq.jlama;

import com.github.tjake.jlama.model.AbstractModel;
import com.github.tjake.jlama.tensor.AbstractTensor;
import com.github.tjake.jlama.tensor.KvBufferCache;
import java.util.Arrays;

/** What comes out of a model's last layer, through Jlama's own calls. */
@SuppressWarnings("rawtypes") // Jlama's tensors are raw everywhere.
final class HiddenStates {
  private HiddenStates() {}

  /**
   * Runs a prompt and then the other tokens one by one, and returns the rows of the prompt's last
   * chunk and of every single step.
   */
  static float[][] of(AbstractModel model, int[] tokens, int prompt) {
    KvBufferCache.KvBuffer buffer = new KvBufferCache(model).getEphemeralKvBuffer();
    try {
      AbstractTensor last = model.batchForward(Arrays.copyOf(tokens, prompt), 0, buffer);
      int chunk = last.shape().first();
      float[][] rows = new float[chunk + tokens.length - prompt][];
      for (int i = 0; i < chunk; i++) {
        rows[i] = row(last, i);
      }
      last.close();
      for (int i = prompt; i < tokens.length; i++) {
        AbstractTensor next = model.forward(tokens[i], i, buffer, java.util.Optional.empty());
        rows[chunk + i - prompt] = row(next, 0);
        next.close();
      }
      return rows;
    } finally {
      if (model instanceof SinkqModel ours) {
        ours.release(buffer);
      } else {
        buffer.close();
      }
    }
  }

  private static float[] row(AbstractTensor tensor, int row) {
    float[] values = new float[tensor.shape().last()];
    for (int i = 0; i < values.length; i++) {
      values[i] = tensor.get(row, i);
    }
    return values;
  }

  /**
   * Relative errors {@code |a - b| / |b|} (L2).
   *
   * @param overall of all rows as one vector
   * @param mean of the rows' own errors
   * @param worst of the rows' own errors
   */
  record RelativeError(double overall, double mean, double worst) {}

  static RelativeError error(float[][] a, float[][] b) {
    double worst = 0;
    double sum = 0;
    double differences = 0;
    double norms = 0;
    for (int r = 0; r < a.length; r++) {
      double difference = 0;
      double norm = 0;
      for (int i = 0; i < a[r].length; i++) {
        difference += Math.pow(a[r][i] - b[r][i], 2);
        norm += Math.pow(b[r][i], 2);
      }
      double error = Math.sqrt(difference / norm);
      worst = Math.max(worst, error);
      sum += error;
      differences += difference;
      norms += norm;
    }
    return new RelativeError(Math.sqrt(differences / norms), sum / a.length, worst);
  }
}
