package org.sinkq.jlama;

import com.github.tjake.jlama.model.AbstractModel;
import com.github.tjake.jlama.safetensors.Config;
import com.github.tjake.jlama.tensor.AbstractTensor;
import com.github.tjake.jlama.tensor.FloatBufferTensor;
import com.github.tjake.jlama.tensor.KvBufferCache;
import com.github.tjake.jlama.tensor.KvBufferCache.KvBuffer;
import com.github.tjake.jlama.tensor.TensorShape;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.TensorView;

/**
 * Decode steps after a long context, stock and ours in turns. The context is random keys and values
 * put straight into both caches, as computing them takes stock Jlama minutes and changes nothing in
 * the time of a step.
 *
 * @param context tokens in the cache before the first step
 * @param stockBytes bytes of stock's F32 rows
 * @param ourBytes bytes that the sequence takes in ours, window and sinks included
 * @param stockMillis median step of stock
 * @param ourMillis median step of ours
 */
@SuppressWarnings("rawtypes") // Jlama's tensors are raw everywhere.
record LongContext(
    int context, long stockBytes, long ourBytes, double stockMillis, double ourMillis) {
  private static final int CHUNK = 512;

  static LongContext run(AbstractModel stock, SinkqModel ours, int context, int steps) {
    KvBuffer stockBuffer = new KvBufferCache(stock).getEphemeralKvBuffer();
    KvBuffer ourBuffer = new KvBufferCache(ours).getEphemeralKvBuffer();
    fill(stock.getConfig(), stockBuffer, context, new SplittableRandom(1));
    fill(ours, ourBuffer, context, new SplittableRandom(1));
    double[] stockMillis = new double[steps];
    double[] ourMillis = new double[steps];
    for (int i = 0; i < steps; i++) {
      stockMillis[i] = step(stock, context + i, stockBuffer);
      ourMillis[i] = step(ours, context + i, ourBuffer);
    }
    Config c = stock.getConfig();
    long rows = 2L * c.numberOfLayers * c.kvLength * Float.BYTES;
    LongContext result =
        new LongContext(
            context,
            rows * (context + steps),
            ours.stats().usedBytes(),
            median(stockMillis),
            median(ourMillis));
    ours.release(ourBuffer);
    stockBuffer.close();
    return result;
  }

  private static double step(AbstractModel model, int position, KvBuffer buffer) {
    long begin = System.nanoTime();
    model.forward(100 + position % 100, position, buffer, Optional.empty()).close();
    return (System.nanoTime() - begin) / 1e6;
  }

  private static double median(double[] values) {
    double[] warm = Arrays.copyOfRange(values, values.length / 3, values.length);
    Arrays.sort(warm);
    return warm[warm.length / 2];
  }

  private static void fill(Config c, KvBuffer buffer, int context, RandomGenerator random) {
    AbstractTensor row = new FloatBufferTensor(TensorShape.of(1, c.kvLength));
    for (int position = 0; position < context; position++) {
      for (int i = 0; i < c.kvLength; i++) {
        row.set((float) random.nextDouble(-1, 1), 0, i);
      }
      for (int layer = 0; layer < c.numberOfLayers; layer++) {
        buffer.getKeyTensorForPosition(layer, position).copyFrom(row, 0, 0, c.kvLength);
        buffer.getValTensorForPosition(layer, position).copyFrom(row, 0, 0, c.kvLength);
      }
    }
  }

  private static void fill(SinkqModel model, KvBuffer buffer, int context, RandomGenerator random) {
    Config c = model.getConfig();
    for (int from = 0; from < context; from += CHUNK) {
      int rows = Math.min(CHUNK, context - from);
      TensorView q = random(random, rows, c.numberOfHeads, c.headSize);
      TensorView out = random(random, rows, c.numberOfHeads, c.headSize);
      AttentionMetadata step =
          AttentionMetadata.single(model.conversations().of(buffer).sequence(), rows);
      try (AttentionPlan plan = model.backend().plan(step)) {
        TensorView k = random(random, rows, c.numberOfKeyValueHeads, c.headSize);
        TensorView v = random(random, rows, c.numberOfKeyValueHeads, c.headSize);
        for (int layer = 0; layer < c.numberOfLayers; layer++) {
          plan.run(layer, q, k, v, out);
        }
        plan.commit();
      }
    }
  }

  private static TensorView random(RandomGenerator random, int rows, int heads, int headDim) {
    float[] values = new float[rows * heads * headDim];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextDouble(-1, 1);
    }
    return TensorView.of(values, rows, heads, headDim);
  }

  double memoryRatio() {
    return (double) stockBytes / ourBytes;
  }

  double speedRatio() {
    return stockMillis / ourMillis;
  }

  String describe() {
    return String.format(
        Locale.ROOT,
        "after %d tokens: KV memory %.1f MiB stock, %.1f MiB ours (%.1fx); step %.1f ms stock,"
            + " %.1f ms ours (%.2fx)",
        context,
        stockBytes / 1048576.0,
        ourBytes / 1048576.0,
        memoryRatio(),
        stockMillis,
        ourMillis,
        speedRatio());
  }
}
