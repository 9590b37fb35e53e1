package org.sinkq.bench;

import java.util.ArrayList;
import java.util.List;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.BackendConfig;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;

/**
 * A backend with many short sequences of mixed lengths that take decode steps together. Heads are
 * few and pages short: what is measured are plan and commit, which do not depend on either.
 */
final class StepBatch implements AutoCloseable {
  private static final int PAGE_TOKENS = 32;

  private final ModelShape shape;
  private final AttentionBackend backend;
  private final AttentionMetadata metadata;
  private final FilledCache.Rows rows;
  private long planNanos;
  private long commitNanos;

  StepBatch(int sequences, int layers, int threads) {
    shape = ModelShape.of(layers, 1, 1, 64);
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .pageTokens(PAGE_TOKENS)
            .windowTokens(0)
            .maxSequences(sequences)
            .capacityTokens(4 * PAGE_TOKENS)
            .build();
    backend = AttentionBackends.open(new BackendConfig(shape, spec, "cpu", threads));
    List<KvSequence> members = new ArrayList<>();
    int[] indptr = new int[sequences + 1];
    for (int i = 0; i < sequences; i++) {
      members.add(backend.newSequence());
      indptr[i + 1] = indptr[i] + 1 + i % PAGE_TOKENS;
    }
    Trace trace = new Trace(shape, 3);
    FilledCache.Rows prompt = FilledCache.Rows.of(trace, indptr[sequences], 0);
    run(new AttentionMetadata(members, indptr), prompt);
    metadata = AttentionMetadata.decode(members);
    rows = FilledCache.Rows.of(trace, sequences, PAGE_TOKENS);
  }

  /** One decode step of all sequences; starts over where the capacity ends. */
  void step() {
    if (metadata.sequences().getFirst().length() + PAGE_TOKENS >= 4 * PAGE_TOKENS) {
      metadata.sequences().forEach(s -> s.truncate(s.length() % PAGE_TOKENS));
    }
    run(metadata, rows);
  }

  private void run(AttentionMetadata step, FilledCache.Rows tensors) {
    long start = System.nanoTime();
    try (AttentionPlan plan = backend.plan(step)) {
      planNanos = System.nanoTime() - start;
      for (int layer = 0; layer < shape.numLayers(); layer++) {
        plan.run(layer, tensors.q(), tensors.k(), tensors.v(), tensors.out());
      }
      start = System.nanoTime();
      plan.commit();
      commitNanos = System.nanoTime() - start;
    }
  }

  long planNanos() {
    return planNanos;
  }

  long commitNanos() {
    return commitNanos;
  }

  /** Tokens that are cached. */
  long tokens() {
    return backend.stats().tokens();
  }

  @Override
  public void close() {
    backend.close();
  }
}
