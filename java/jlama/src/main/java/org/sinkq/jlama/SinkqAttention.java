package org.sinkq.jlama;

import static org.sinkq.InvalidArgumentException.require;

import com.github.tjake.jlama.math.VectorMath;
import com.github.tjake.jlama.model.CausalSelfAttention;
import com.github.tjake.jlama.safetensors.Config;
import com.github.tjake.jlama.tensor.AbstractTensor;
import com.github.tjake.jlama.tensor.KvBufferCache;
import com.github.tjake.jlama.tensor.operations.TensorOperations;
import com.github.tjake.jlama.tensor.operations.TensorOperationsProvider;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.sinkq.AttentionPlan;
import org.sinkq.DType;
import org.sinkq.TensorView;

/**
 * One layer's attention: Jlama's matrix products around a step of the SinkQ backend. It keeps
 * nothing between calls, unlike Jlama's own, whose q, k, v array is shared by all callers.
 */
@SuppressWarnings("rawtypes") // Jlama's tensors are raw everywhere.
final class SinkqAttention extends CausalSelfAttention {
  private final SinkqModel model;
  private final int layer;
  private final Weights weights;

  /**
   * The maps of one layer.
   *
   * @param q [heads * headDim, width]
   * @param k [kvHeads * headDim, width]
   * @param v [kvHeads * headDim, width]
   * @param qkvBias biases of the three, or null
   * @param output [width, heads * headDim]
   */
  record Weights(
      AbstractTensor q, AbstractTensor k, AbstractTensor v, Bias qkvBias, AbstractTensor output) {}

  /** Biases of q, k and v, which Qwen2 has. */
  record Bias(AbstractTensor q, AbstractTensor k, AbstractTensor v) {}

  SinkqAttention(SinkqModel model, int layer, Weights weights) {
    super(model, layer, weights.q, weights.k, weights.v, weights.output);
    this.model = model;
    this.layer = layer;
    this.weights = weights;
  }

  @Override
  public AbstractTensor forward(
      AbstractTensor input,
      int startPosition,
      KvBufferCache.KvBuffer buffer,
      Optional<Consumer<List<AbstractTensor>>> reducer) {
    AttentionPlan plan = model.conversations().of(buffer).plan();
    require(plan != null, "layer=%d runs alone, expected a call of the model's forward", layer);
    Config c = model.getConfig();
    int rows = input.shape().first();
    try (AbstractTensor q = model.makeDenseTensor(rows, c.attentionLength);
        AbstractTensor k = model.makeDenseTensor(rows, c.kvLength);
        AbstractTensor v = model.makeDenseTensor(rows, c.kvLength);
        AbstractTensor out = model.makeDenseTensor(rows, c.attentionLength)) {
      Bias bias = weights.qkvBias;
      multiply(q, input, weights.q, bias == null ? null : bias.q);
      multiply(k, input, weights.k, bias == null ? null : bias.k);
      multiply(v, input, weights.v, bias == null ? null : bias.v);
      RotaryEmbedding rope = model.rope();
      rope.rotate(q, startPosition);
      rope.rotate(k, startPosition);
      int heads = c.numberOfHeads;
      int kvHeads = c.numberOfKeyValueHeads;
      plan.run(
          layer,
          view(q, heads, c.headSize),
          view(k, kvHeads, c.headSize),
          view(v, kvHeads, c.headSize),
          view(out, heads, c.headSize));
      AbstractTensor result = model.makeDenseTensor(rows, c.embeddingLength);
      try (AbstractTensor quantized = model.quantizeForProduct(out)) {
        multiply(result, quantized, weights.output, null);
      }
      reducer.ifPresent(r -> r.accept(List.of(result)));
      return result;
    }
  }

  /** {@code result = input * weights^T (+ bias)}, the outputs shared among Jlama's threads. */
  private static void multiply(
      AbstractTensor result, AbstractTensor input, AbstractTensor weights, AbstractTensor bias) {
    TensorOperations operations = TensorOperationsProvider.get();
    int inputs = input.shape().last();
    int outputs = result.shape().last();
    VectorMath.pchunk(
        0,
        outputs,
        (start, length) ->
            operations.dotProductChunk(result, input, weights, 0, inputs, start, length));
    if (bias != null) {
      operations.accumulate(result, bias, 0, outputs);
    }
  }

  private static TensorView view(AbstractTensor tensor, int heads, int headDim) {
    DType type =
        tensor.dType() == com.github.tjake.jlama.safetensors.DType.F32 ? DType.F32 : DType.BF16;
    return TensorView.of(tensor.getMemorySegment(), type, tensor.shape().first(), heads, headDim);
  }
}
