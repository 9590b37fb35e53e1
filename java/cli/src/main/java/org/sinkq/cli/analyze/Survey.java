package org.sinkq.cli.analyze;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.TensorView;

/** Collects what passes a {@link ShadowBackend}. */
final class Survey {
  private final ModelShape shape;
  private final float[][] norms;
  private final double[][] channels;
  private final double[][] squaredError;
  private final double[] squaredReference;
  private final List<List<HeadSurvey.Sink>> sinks = new ArrayList<>();
  private int tokens;

  /**
   * An empty survey.
   *
   * @param capacity tokens that will pass
   * @param shadows caches that are compared with the fp16 one
   */
  Survey(ModelShape shape, int capacity, int shadows) {
    this.shape = shape;
    int heads = shape.numLayers() * shape.numKvHeads();
    norms = new float[heads][capacity];
    channels = new double[heads][shape.headDim()];
    squaredError = new double[shadows][heads];
    squaredReference = new double[heads];
    for (int h = 0; h < heads; h++) {
      sinks.add(new ArrayList<>());
    }
  }

  private int index(int layer, int head) {
    return layer * shape.numKvHeads() + head;
  }

  /** Takes in the keys of a step. */
  void keys(int layer, TensorView k) {
    float[] key = new float[shape.headDim()];
    for (int head = 0; head < shape.numKvHeads(); head++) {
      double[] sums = channels[index(layer, head)];
      for (int t = 0; t < k.tokens(); t++) {
        Elements.read(k, t, head, key);
        double norm = 0;
        for (int d = 0; d < key.length; d++) {
          sums[d] += Math.abs(key[d]);
          norm += Math.abs(key[d]);
        }
        norms[index(layer, head)][tokens + t] = (float) norm;
      }
    }
  }

  /** Takes in what the fp16 cache gave for a step, and what each shadow gave. */
  void results(int layer, TensorView reference, List<TensorView> results) {
    float[] wanted = new float[shape.headDim()];
    float[] given = new float[shape.headDim()];
    for (int head = 0; head < shape.numQoHeads(); head++) {
      int at = index(layer, head / shape.groupSize());
      for (int t = 0; t < reference.tokens(); t++) {
        Elements.read(reference, t, head, wanted);
        for (float x : wanted) {
          squaredReference[at] += (double) x * x;
        }
        for (int s = 0; s < results.size(); s++) {
          Elements.read(results.get(s), t, head, given);
          for (int d = 0; d < given.length; d++) {
            double error = (double) given[d] - wanted[d];
            squaredError[s][at] += error * error;
          }
        }
      }
    }
  }

  /** Ends a step: notes which tokens of a sequence have become sinks in it. */
  void end(int rows, KvSequence tracked) {
    tokens += rows;
    for (int layer = 0; layer < shape.numLayers(); layer++) {
      for (int head = 0; head < shape.numKvHeads(); head++) {
        List<HeadSurvey.Sink> known = sinks.get(index(layer, head));
        for (int position : tracked.sinkPositions(layer, head)) {
          if (known.stream().noneMatch(sink -> sink.position() == position)) {
            known.add(new HeadSurvey.Sink(position, tokens));
          }
        }
      }
    }
  }

  /** The heads, layer by layer. */
  List<HeadSurvey> heads() {
    List<HeadSurvey> heads = new ArrayList<>();
    for (int i = 0; i < norms.length; i++) {
      float[] means = new float[shape.headDim()];
      for (int d = 0; d < means.length; d++) {
        means[d] = (float) (channels[i][d] / tokens);
      }
      heads.add(
          new HeadSurvey(
              i / shape.numKvHeads(),
              i % shape.numKvHeads(),
              Arrays.copyOf(norms[i], tokens),
              means,
              List.copyOf(sinks.get(i)),
              relative(squaredError[0][i], squaredReference[i]),
              relative(squaredError[1][i], squaredReference[i])));
    }
    return heads;
  }

  private static double relative(double error, double reference) {
    return error == 0 ? 0 : Math.sqrt(error / reference);
  }
}
