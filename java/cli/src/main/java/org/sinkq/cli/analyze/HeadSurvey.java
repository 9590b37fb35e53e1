package org.sinkq.cli.analyze;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * What was seen of one KV head of one layer.
 *
 * @param layer index of the layer
 * @param head index of the KV head
 * @param norms [tokens] sum over channels of |key|
 * @param channels [headDim] mean over tokens of |key|
 * @param sinks tokens that the cache kept in full precision, in the order in which it chose them
 * @param error relative error of the attention that reads the cache
 * @param errorWithout the same without sinks
 */
public record HeadSurvey(
    int layer,
    int head,
    float[] norms,
    float[] channels,
    List<Sink> sinks,
    double error,
    double errorWithout) {
  /** A channel is an outlier if its mean magnitude is so many times the median channel's. */
  public static final double OUTLIER = 4;

  /**
   * A token in full precision.
   *
   * @param position in the sequence
   * @param since length of the sequence when it was chosen
   */
  public record Sink(int position, int since) {}

  /** Norms in ascending order. */
  public float[] sortedNorms() {
    float[] sorted = norms.clone();
    Arrays.sort(sorted);
    return sorted;
  }

  /** The middle norm. */
  public double medianNorm() {
    return sortedNorms()[norms.length / 2];
  }

  /** The middle of the channels' mean magnitudes. */
  public double medianChannel() {
    float[] sorted = channels.clone();
    Arrays.sort(sorted);
    return sorted[channels.length / 2];
  }

  /** Indices of the channels that stand out, ascending. */
  public int[] outlierChannels() {
    double limit = OUTLIER * medianChannel();
    return IntStream.range(0, channels.length).filter(d -> channels[d] > limit).toArray();
  }
}
