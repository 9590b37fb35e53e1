package org.sinkq.llm.convert;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntUnaryOperator;
import org.sinkq.llm.LanguageModel;
import org.sinkq.llm.gguf.GgufTensor;
import org.sinkq.llm.model.ModelConfig;
import org.sinkq.llm.safetensors.TensorSource;
import org.sinkq.llm.tensor.Weights;

/** A model's weights under the names, and in the order of rows, that a folder has. */
final class WeightTensors {
  /** Tensors of a layer: the name in GGUF and the one in a folder. */
  private static final String[][] LAYER_NAMES = {
    {"attn_norm", "input_layernorm"},
    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"},
    {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
  };

  private final LanguageModel model;
  private final WeightType type;
  private final int headDim;
  private final boolean interleaved;

  private WeightTensors(LanguageModel model, ModelConfig config, WeightType type) {
    this.model = model;
    this.type = type;
    headDim = config.shape().headDim();
    interleaved = model.info().architecture().equals("llama");
  }

  /** Every tensor of the model. */
  static List<TensorSource> of(LanguageModel model, ModelConfig config, WeightType type) {
    return new WeightTensors(model, config, type).all(config.shape().numLayers());
  }

  private List<TensorSource> all(int layers) {
    List<TensorSource> tensors = new ArrayList<>();
    add(tensors, "token_embd.weight", "model.embed_tokens.weight");
    for (int layer = 0; layer < layers; layer++) {
      for (String[] names : LAYER_NAMES) {
        for (String part : List.of(".weight", ".bias")) {
          add(
              tensors,
              "blk." + layer + "." + names[0] + part,
              "model.layers." + layer + "." + names[1] + part);
        }
      }
    }
    add(tensors, "output_norm.weight", "model.norm.weight");
    add(tensors, "output.weight", "lm_head.weight");
    return tensors;
  }

  private void add(List<TensorSource> tensors, String from, String name) {
    model.file().findTensor(from).ifPresent(tensor -> tensors.add(source(tensor, name)));
  }

  private TensorSource source(GgufTensor tensor, String name) {
    boolean vector = tensor.shape().size() == 1;
    WeightType stored = vector ? WeightType.F32 : type;
    long columns = tensor.extent(0);
    long rows = tensor.extent(1);
    long length = rows * columns * stored.byteSize();
    return new TensorSource(
        name,
        stored.name(),
        vector ? List.of(columns) : List.of(rows, columns),
        length,
        allocator -> {
          MemorySegment target = allocator.allocate(length, Float.BYTES);
          Weights weights = Weights.of(tensor.type(), tensor.data(), (int) rows, (int) columns);
          IntUnaryOperator order = rowOrder(name);
          for (int row = 0; row < rows; row++) {
            stored.store(weights.row(order.applyAsInt(row)), target, row * columns);
          }
          return target;
        });
  }

  /** Which row of the file becomes a row of the folder. */
  private IntUnaryOperator rowOrder(String name) {
    boolean turned = name.endsWith("q_proj.weight") || name.endsWith("k_proj.weight");
    if (!interleaved || !turned) {
      return IntUnaryOperator.identity();
    }
    int half = headDim / 2;
    return row -> {
      int element = row % headDim;
      return row - element + 2 * (element % half) + element / half;
    };
  }
}
