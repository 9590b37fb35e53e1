package org.sinkq.cli.analyze;

import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.BackendConfig;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.TensorView;
import org.sinkq.cli.eval.Chunks;
import org.sinkq.cli.eval.Contender;
import org.sinkq.cli.replay.Trace;
import org.sinkq.llm.LanguageModel;

/**
 * Runs tokens through an fp16 cache and two others, one with sinks and one without, in steps that
 * give each what decoding token by token gives it.
 */
public final class Analysis {
  /** Most tokens of a step. */
  private static final int STEP_ROWS = 128;

  private final BackendConfig dense;
  private final List<BackendConfig> tested;
  private final List<Contender> contenders;

  /**
   * Prepares an analysis.
   *
   * @param dense the fp16 cache
   * @param withSinks the cache under test
   * @param without the same without sinks
   */
  public Analysis(BackendConfig dense, BackendConfig withSinks, BackendConfig without) {
    this.dense = dense;
    tested = List.of(withSinks, without);
    contenders = tested.stream().map(config -> new Contender("", config)).toList();
  }

  /** One step of some tokens. */
  private interface Step {
    void run(ShadowBackend backend, KvSequence sequence, int first, int rows);
  }

  /**
   * Analyzes the keys that a model makes of a text.
   *
   * @param progress receives the tokens done after each step
   */
  public List<HeadSurvey> run(LanguageModel model, int[] tokens, IntConsumer progress) {
    return run(
        tokens.length,
        (backend, sequence, first, rows) ->
            model.forward(
                backend,
                AttentionMetadata.single(sequence, rows),
                Arrays.copyOfRange(tokens, first, first + rows),
                new int[0]),
        progress);
  }

  /** Analyzes the keys of a trace. */
  public List<HeadSurvey> run(Trace trace, IntConsumer progress) {
    ModelShape shape = trace.shape();
    return run(
        trace.tokens(),
        (backend, sequence, first, rows) -> {
          float[] result = new float[rows * shape.numQoHeads() * shape.headDim()];
          TensorView out = TensorView.of(result, rows, shape.numQoHeads(), shape.headDim());
          try (AttentionPlan plan = backend.plan(AttentionMetadata.single(sequence, rows))) {
            plan.run(0, trace.q(first, rows), trace.k(first, rows), trace.v(first, rows), out);
            plan.commit();
          }
        },
        progress);
  }

  private List<HeadSurvey> run(int tokens, Step step, IntConsumer progress) {
    Survey survey = new Survey(dense.shape(), tokens, tested.size());
    try (ShadowBackend backend = new ShadowBackend(dense, tested, survey);
        KvSequence sequence = backend.newSequence()) {
      for (int first = 0; first < tokens; ) {
        int end = Chunks.next(contenders, first, tokens, STEP_ROWS);
        step.run(backend, sequence, first, end - first);
        first = end;
        progress.accept(first);
      }
    }
    return survey.heads();
  }
}
