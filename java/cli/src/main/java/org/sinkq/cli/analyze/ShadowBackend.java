package org.sinkq.cli.analyze;

import java.util.ArrayList;
import java.util.List;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.BackendConfig;
import org.sinkq.BackendStats;
import org.sinkq.EngineStatus;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.TensorView;

/**
 * A backend for one sequence that answers from an fp16 cache, while shadows of it get the same
 * queries, keys and values and are compared with it.
 */
final class ShadowBackend implements AttentionBackend {
  private final AttentionBackend main;
  private final List<AttentionBackend> shadows = new ArrayList<>();
  private final List<KvSequence> shadowSequences = new ArrayList<>();
  private final Survey survey;

  /**
   * Opens all caches.
   *
   * @param shadows the first one's sinks are followed
   */
  ShadowBackend(BackendConfig dense, List<BackendConfig> shadows, Survey survey) {
    this.survey = survey;
    main = AttentionBackends.open(dense);
    boolean opened = false;
    try {
      for (BackendConfig config : shadows) {
        AttentionBackend shadow = AttentionBackends.open(config);
        this.shadows.add(shadow);
        shadowSequences.add(shadow.newSequence());
      }
      opened = true;
    } finally {
      if (!opened) {
        close();
      }
    }
  }

  @Override
  public BackendConfig config() {
    return main.config();
  }

  @Override
  public EngineStatus engine() {
    return main.engine();
  }

  @Override
  public KvSequence newSequence() {
    return main.newSequence();
  }

  @Override
  public BackendStats stats() {
    return main.stats();
  }

  @Override
  public AttentionPlan plan(AttentionMetadata metadata) {
    List<AttentionPlan> plans = new ArrayList<>();
    boolean planned = false;
    try {
      plans.add(main.plan(metadata));
      for (int s = 0; s < shadows.size(); s++) {
        KvSequence sequence = shadowSequences.get(s);
        plans.add(shadows.get(s).plan(AttentionMetadata.single(sequence, metadata.totalTokens())));
      }
      planned = true;
      return new Plan(plans, metadata.totalTokens());
    } finally {
      if (!planned) {
        plans.forEach(AttentionPlan::close);
      }
    }
  }

  /** The main plan first, then those of the shadows. */
  private final class Plan implements AttentionPlan {
    private final List<AttentionPlan> plans;
    private final List<TensorView> results = new ArrayList<>();
    private final int rows;

    Plan(List<AttentionPlan> plans, int rows) {
      this.plans = plans;
      this.rows = rows;
      ModelShape shape = config().shape();
      for (int s = 1; s < plans.size(); s++) {
        float[] result = new float[rows * shape.numQoHeads() * shape.headDim()];
        results.add(TensorView.of(result, rows, shape.numQoHeads(), shape.headDim()));
      }
    }

    @Override
    public void run(int layer, TensorView q, TensorView k, TensorView v, TensorView out) {
      plans.getFirst().run(layer, q, k, v, out);
      for (int s = 0; s < results.size(); s++) {
        plans.get(s + 1).run(layer, q, k, v, results.get(s));
      }
      survey.keys(layer, k);
      survey.results(layer, out, results);
    }

    @Override
    public void append(int layer, TensorView k, TensorView v) {
      plans.forEach(plan -> plan.append(layer, k, v));
      survey.keys(layer, k);
    }

    @Override
    public void commit() {
      plans.forEach(AttentionPlan::commit);
      survey.end(rows, shadowSequences.getFirst());
    }

    @Override
    public void close() {
      plans.forEach(AttentionPlan::close);
    }
  }

  @Override
  public void close() {
    shadows.forEach(AttentionBackend::close);
    main.close();
  }
}
