package org.sinkq.llm.generate;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntUnaryOperator;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.ModelShape;
import org.sinkq.TensorView;

/**
 * A model whose next token depends on the length of the sequence alone. It uses the cache as any
 * other does, with zeros for keys and values.
 */
final class ScriptedModel implements TextGenerator.ForwardPass {
  static final ModelShape SHAPE = ModelShape.of(1, 1, 1, 64);

  final List<int[]> steps = new ArrayList<>();
  private final int vocabularySize;
  private final IntUnaryOperator tokenAfter;

  /**
   * Creates the model.
   *
   * @param tokenAfter the token that follows so many
   */
  ScriptedModel(int vocabularySize, IntUnaryOperator tokenAfter) {
    this.vocabularySize = vocabularySize;
    this.tokenAfter = tokenAfter;
  }

  @Override
  public float[][] forward(
      AttentionBackend backend, AttentionMetadata metadata, int[] tokens, int[] logitRows) {
    int rows = metadata.totalTokens();
    try (AttentionPlan plan = backend.plan(metadata)) {
      TensorView zeros = TensorView.of(new float[rows * 64], rows, 1, 64);
      plan.run(0, zeros, zeros, zeros, TensorView.of(new float[rows * 64], rows, 1, 64));
      plan.commit();
    }
    steps.add(tokens.clone());
    int start = metadata.sequences().get(0).length() - rows;
    float[][] logits = new float[logitRows.length][vocabularySize];
    for (int i = 0; i < logitRows.length; i++) {
      logits[i][tokenAfter.applyAsInt(start + logitRows[i] + 1)] = 1;
    }
    return logits;
  }
}
