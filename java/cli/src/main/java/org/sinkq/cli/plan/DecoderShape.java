package org.sinkq.cli.plan;

import static org.sinkq.InvalidArgumentException.require;

import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.sinkq.ModelShape;

/**
 * What a decode step of a model reads.
 *
 * @param name for people
 * @param attention attention geometry
 * @param width elements of a hidden row
 * @param feedForward inner elements of the feed-forward network
 * @param vocabulary tokens; 0 for layers alone
 * @param parameters weights that are held
 * @param matrixParameters weights that every step reads and multiplies with: all matrices and the
 *     output head, without the table of embeddings
 */
public record DecoderShape(
    String name,
    ModelShape attention,
    int width,
    int feedForward,
    int vocabulary,
    long parameters,
    long matrixParameters) {

  private static final List<DecoderShape> KNOWN =
      List.of(
          llama("llama-3-8b", ModelShape.of(32, 32, 8, 128), 4096, 14336, 128256),
          llama("llama-2-7b", ModelShape.of(32, 32, 32, 128), 4096, 11008, 32000),
          llama("qwen3-32b-layer", ModelShape.of(1, 64, 8, 128), 5120, 25600, 0));

  /** Checks the counts. */
  public DecoderShape {
    require(
        matrixParameters > 0 && matrixParameters <= parameters,
        "matrixParameters=%d, expected 1 to parameters=%d",
        matrixParameters,
        parameters);
  }

  /**
   * A model of the Llama family whose embeddings and output head are two tables.
   *
   * @param width elements of a hidden row
   * @param feedForward inner elements of the feed-forward network
   * @param vocabulary tokens; 0 for layers alone
   */
  static DecoderShape llama(
      String name, ModelShape attention, int width, int feedForward, int vocabulary) {
    long heads = (long) attention.headDim() * width;
    long projections = 2 * heads * (attention.numQoHeads() + attention.numKvHeads());
    long layer = projections + 3L * width * feedForward;
    long table = (long) width * vocabulary;
    long matrices = attention.numLayers() * layer + table;
    return new DecoderShape(
        name, attention, width, feedForward, vocabulary, matrices + table, matrices);
  }

  /** The shape of that name, in any case. */
  public static Optional<DecoderShape> find(String name) {
    String wanted = name.toLowerCase(Locale.ROOT);
    return KNOWN.stream().filter(shape -> shape.name.equals(wanted)).findFirst();
  }

  /** Names that {@link #find} knows. */
  public static List<String> names() {
    return KNOWN.stream().map(DecoderShape::name).toList();
  }

  /** Bytes of the weights in fp16. */
  public long weightBytes() {
    return Short.BYTES * parameters;
  }
}
