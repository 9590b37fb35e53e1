package org.sinkq.llm.model;

import static org.sinkq.llm.InvalidModelException.require;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.sinkq.llm.InvalidModelException;
import org.sinkq.llm.gguf.GgufFile;
import org.sinkq.llm.gguf.GgufTensor;
import org.sinkq.llm.tensor.Linear;
import org.sinkq.llm.tensor.Weights;

/**
 * The tensors of a model. Matrices stay in the file's mapping, vectors are copied.
 *
 * @param embedding [vocabulary, width]
 * @param layers one after another
 * @param outputNorm [width]
 * @param output [vocabulary, width]; the embedding where the file has none
 * @param ropeFactors [ropeDimensions / 2] what each frequency is divided by, or null
 */
record ModelWeights(
    Weights embedding, List<Layer> layers, float[] outputNorm, Linear output, float[] ropeFactors) {

  /**
   * One layer.
   *
   * @param qkv the maps to q, k and v
   * @param qNorm [headDim], or null
   * @param kNorm [headDim], or null
   * @param attentionPostNorm [width] norm of what attention adds, or null
   * @param feedForwardPostNorm [width] norm of what the feed-forward network adds, or null
   */
  record Layer(
      float[] attentionNorm,
      Linear[] qkv,
      float[] qNorm,
      float[] kNorm,
      Linear attentionOutput,
      float[] attentionPostNorm,
      float[] feedForwardNorm,
      Linear gate,
      Linear up,
      Linear down,
      float[] feedForwardPostNorm) {}

  int vocabulary() {
    return embedding.rows();
  }

  /**
   * Finds every tensor and checks its shape.
   *
   * @throws InvalidModelException if one is missing, has another shape, or is not known: a model
   *     with parts that are left out would write nonsense
   */
  static ModelWeights read(GgufFile file, ModelConfig config) {
    return new Reader(file, config, new HashSet<>()).read();
  }

  private record Reader(GgufFile file, ModelConfig config, Set<String> used) {
    ModelWeights read() {
      int width = config.width();
      GgufTensor table = file.tensor("token_embd.weight");
      require(
          table.extent(1) <= Integer.MAX_VALUE / width,
          path(),
          "tensor %s: vocabulary of %d, expected fewer than 2^31 elements in all",
          table.name(),
          table.extent(1));
      int vocabulary = (int) table.extent(1);
      Weights embedding = matrix("token_embd.weight", vocabulary, width);
      List<Layer> layers = new ArrayList<>();
      for (int i = 0; i < config.shape().numLayers(); i++) {
        layers.add(layer("blk." + i + "."));
      }
      Linear output =
          file.findTensor("output.weight").isPresent()
              ? new Linear(matrix("output.weight", vocabulary, width), null)
              : new Linear(embedding, null);
      float[] ropeFactors = optionalVector("rope_freqs.weight", config.ropeDimensions() / 2);
      ModelWeights weights =
          new ModelWeights(
              embedding,
              List.copyOf(layers),
              vector("output_norm.weight", width),
              output,
              ropeFactors);
      for (GgufTensor tensor : file.tensors()) {
        require(
            used.contains(tensor.name()),
            path(),
            "tensor %s is not known, expected only those of architecture %s",
            tensor.name(),
            config.architecture().id());
      }
      return weights;
    }

    private Path path() {
      return file.path();
    }

    private Layer layer(String prefix) {
      int width = config.width();
      int dim = config.shape().headDim();
      int queries = config.shape().numQoHeads() * dim;
      int keys = config.shape().numKvHeads() * dim;
      int inner = config.feedForward();
      boolean headNorms = config.architecture().headNorms();
      boolean postNorms = config.architecture() == Architecture.GEMMA3;
      return new Layer(
          vector(prefix + "attn_norm.weight", width),
          new Linear[] {
            linear(prefix + "attn_q", queries, width),
            linear(prefix + "attn_k", keys, width),
            linear(prefix + "attn_v", keys, width)
          },
          headNorms ? vector(prefix + "attn_q_norm.weight", dim) : null,
          headNorms ? vector(prefix + "attn_k_norm.weight", dim) : null,
          linear(prefix + "attn_output", width, queries),
          postNorms ? vector(prefix + "post_attention_norm.weight", width) : null,
          vector(prefix + "ffn_norm.weight", width),
          linear(prefix + "ffn_gate", inner, width),
          linear(prefix + "ffn_up", inner, width),
          linear(prefix + "ffn_down", width, inner),
          postNorms ? vector(prefix + "post_ffw_norm.weight", width) : null);
    }

    private Linear linear(String name, int outputs, int inputs) {
      return new Linear(
          matrix(name + ".weight", outputs, inputs), optionalVector(name + ".bias", outputs));
    }

    private Weights matrix(String name, int rows, int columns) {
      GgufTensor tensor = tensor(name, rows, columns);
      require(
          columns % Weights.COLUMN_MULTIPLE == 0,
          path(),
          "tensor %s: extent 0=%d, expected a multiple of %d",
          name,
          columns,
          Weights.COLUMN_MULTIPLE);
      return Weights.of(tensor.type(), tensor.data(), rows, columns);
    }

    private float[] optionalVector(String name, int length) {
      return file.findTensor(name).isPresent() ? vector(name, length) : null;
    }

    private float[] vector(String name, int length) {
      GgufTensor tensor = tensor(name, 1, length);
      return Weights.of(tensor.type(), tensor.data(), 1, length).row(0);
    }

    private GgufTensor tensor(String name, int rows, int columns) {
      GgufTensor tensor = file.tensor(name);
      require(
          tensor.extent(0) == columns
              && tensor.extent(1) == rows
              && tensor.elements() == (long) rows * columns,
          path(),
          "tensor %s: shape %s, expected [%d, %d]",
          name,
          tensor.shape(),
          columns,
          rows);
      used.add(name);
      return tensor;
    }
  }
}
