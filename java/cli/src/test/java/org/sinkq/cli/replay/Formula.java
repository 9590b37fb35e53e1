package org.sinkq.cli.replay;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.TreeSet;

/**
 * The method, written down once more in doubles and without any of the engine's code: one KV head,
 * rows appended step by step, groups quantized as they leave the window.
 */
final class Formula {
  private static final int LEVELS = 3; // 2 bits: codes 0 to 3

  private final int page;
  private final int window;
  private final int pool;
  private final int spill;
  private final List<float[]> keys = new ArrayList<>();
  private final List<float[]> values = new ArrayList<>();
  private final TreeSet<Integer> pooled = new TreeSet<>();
  private final TreeSet<Integer> spilled = new TreeSet<>();
  private int flushed;
  private boolean frozen;

  Formula(int page, int window, int pool, int spill) {
    this.page = page;
    this.window = window;
    this.pool = pool;
    this.spill = spill;
  }

  /** Appends rows, then attends with each row's queries: {@code queries[row][head]}. */
  double[][][] step(float[][] k, float[][] v, float[][][] queries) {
    int first = keys.size();
    for (int i = 0; i < k.length; i++) {
      keys.add(k[i].clone());
      values.add(v[i].clone());
    }
    double[][][] out = new double[k.length][][];
    for (int i = 0; i < k.length; i++) {
      out[i] = new double[queries[i].length][];
      for (int head = 0; head < queries[i].length; head++) {
        out[i][head] = attend(queries[i][head], first + i);
      }
    }
    flush();
    return out;
  }

  int[] sinks() {
    TreeSet<Integer> all = new TreeSet<>(pooled);
    all.addAll(spilled);
    return all.stream().mapToInt(Integer::intValue).toArray();
  }

  private double[] attend(float[] q, int last) {
    double[] weight = new double[last + 1];
    double max = Double.NEGATIVE_INFINITY;
    for (int t = 0; t <= last; t++) {
      for (int d = 0; d < q.length; d++) {
        weight[t] += (double) q[d] * keys.get(t)[d];
      }
      weight[t] /= Math.sqrt(q.length);
      max = Math.max(max, weight[t]);
    }
    double sum = 0;
    double[] out = new double[q.length];
    for (int t = 0; t <= last; t++) {
      weight[t] = Math.exp(weight[t] - max);
      sum += weight[t];
      for (int d = 0; d < out.length; d++) {
        out[d] += weight[t] * values.get(t)[d];
      }
    }
    for (int d = 0; d < out.length; d++) {
      out[d] /= sum;
    }
    return out;
  }

  private void flush() {
    int groups = Math.max(0, keys.size() - flushed - window) / page;
    if (groups == 0) {
      return;
    }
    int end = flushed + groups * page;
    select(end);
    for (int begin = flushed; begin < end; begin += page) {
      List<Integer> members = new ArrayList<>();
      for (int t = begin; t < begin + page; t++) {
        if (!pooled.contains(t)) {
          members.add(t);
        }
      }
      quantize(members);
    }
    flushed = end;
  }

  private void select(int end) {
    List<Integer> candidates = new ArrayList<>(pooled);
    for (int t = flushed; t < end; t++) {
      candidates.add(t);
    }
    candidates.sort(Comparator.<Integer>comparingDouble(this::score).thenComparing(t -> t));
    List<Integer> best = candidates.subList(0, pool);
    List<Integer> leaving = pooled.stream().filter(t -> !best.contains(t)).toList();
    frozen |= spilled.size() + leaving.size() > spill;
    if (!frozen) {
      spilled.addAll(leaving);
      pooled.clear();
      pooled.addAll(best);
    }
  }

  private double score(int t) {
    double sum = 0;
    for (float x : keys.get(t)) {
      sum += Math.abs(x);
    }
    return sum;
  }

  /** Keys per channel over the members, values per token over the channels. */
  private void quantize(List<Integer> members) {
    int dim = keys.get(0).length;
    for (int d = 0; d < dim; d++) {
      float[] channel = new float[members.size()];
      for (int i = 0; i < channel.length; i++) {
        channel[i] = keys.get(members.get(i))[d];
      }
      roundTrip(channel);
      for (int i = 0; i < channel.length; i++) {
        keys.get(members.get(i))[d] = channel[i];
      }
    }
    members.forEach(t -> roundTrip(values.get(t)));
  }

  private static void roundTrip(float[] group) {
    float min = Float.POSITIVE_INFINITY;
    float max = Float.NEGATIVE_INFINITY;
    for (float x : group) {
      min = Math.min(min, x);
      max = Math.max(max, x);
    }
    float zero = fp16(min);
    float scale = fp16((max - min) / LEVELS);
    for (int i = 0; i < group.length; i++) {
      double code = scale == 0 ? 0 : Math.rint((group[i] - zero) / scale);
      group[i] = (float) (scale * Math.clamp(code, 0, LEVELS) + zero);
    }
  }

  private static float fp16(float x) {
    return Float.float16ToFloat(Float.floatToFloat16(x));
  }
}
