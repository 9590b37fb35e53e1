package org.sinkq.cli.eval;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.AttentionMetadata;
import org.sinkq.BackendStats;
import org.sinkq.KvSequence;
import org.sinkq.llm.ForwardBatch;
import org.sinkq.llm.LanguageModel;

/**
 * Runs windows of text through several caches at once. Each cache has hidden states of its own; a
 * step of the model takes the rows of all of them, so that the weights are read once.
 */
public final class Comparison implements AutoCloseable {
  /** Rows of a step, all contenders together: what products with weights are fast at. */
  private static final int STEP_ROWS = 256;

  private final LanguageModel model;
  private final List<Contender> contenders;
  private final List<AttentionBackend> backends = new ArrayList<>();

  /** Receives the predictions of one step. */
  @FunctionalInterface
  public interface Listener {
    /**
     * Some tokens of a window have been predicted by every contender.
     *
     * @param firstTarget index of the first predicted token in the window
     * @param targets how many
     * @param logits [contenders * targets, vocabulary], contender by contender; may be changed
     */
    void predicted(int firstTarget, int targets, float[][] logits);
  }

  /**
   * What a contender's cache takes, index tables included.
   *
   * @param bitsPerElement bits of a stored element of a page: codes, scales, minima, slot masks
   * @param denseBytes of one sequence's rows in full precision: window, pool and spill
   * @param engine that runs it
   */
  public record Size(double bitsPerElement, long denseBytes, String engine) {}

  /**
   * Opens every cache.
   *
   * @throws org.sinkq.SinkQException if one of them cannot be opened
   */
  public Comparison(LanguageModel model, List<Contender> contenders) {
    this.model = model;
    this.contenders = List.copyOf(contenders);
    boolean opened = false;
    try {
      contenders.forEach(c -> backends.add(AttentionBackends.open(c.config())));
      opened = true;
    } finally {
      if (!opened) {
        close();
      }
    }
  }

  /** The caches, in the order of the results. */
  public List<Contender> contenders() {
    return contenders;
  }

  /** Sizes of the contenders' caches; no window may be running. */
  public List<Size> sizes() {
    return backends.stream().map(Comparison::size).toList();
  }

  private static Size size(AttentionBackend backend) {
    try (KvSequence sequence = backend.newSequence()) {
      // The backend has one sequence, so what is not in use is pages and nothing else.
      BackendStats stats = backend.stats();
      assert stats.sequences() == stats.maxSequences() : sequence;
      long pageBytes = (stats.allocatedBytes() - stats.usedBytes()) / stats.maxPages();
      long tokens = backend.config().cache().pageTokens();
      long elements = tokens * backend.config().shape().fp16BytesPerToken() / Short.BYTES;
      return new Size(
          (double) pageBytes * Byte.SIZE / elements, stats.usedBytes(), backend.engine().name());
    }
  }

  /**
   * Runs one window from empty caches.
   *
   * @param listener called after each step with a prediction that counts
   * @param progress receives the tokens that have been fed after each step
   * @throws org.sinkq.SinkQException if a cache cannot take the window
   */
  public void run(Window window, Listener listener, IntConsumer progress) {
    int[] tokens = window.tokens();
    int end = tokens.length - 1;
    List<KvSequence> sequences = new ArrayList<>();
    try {
      backends.forEach(backend -> sequences.add(backend.newSequence()));
      int maxRows = Math.max(1, STEP_ROWS / contenders.size());
      for (int from = 0; from < end; ) {
        int to = Chunks.next(contenders, from, end, maxRows);
        int first = Math.max(from, window.firstTarget() - 1);
        float[][] logits =
            step(sequences, Arrays.copyOfRange(tokens, from, to), Math.min(first, to) - from);
        if (first < to) {
          listener.predicted(first + 1, to - first, logits);
        }
        from = to;
        progress.accept(from);
      }
    } finally {
      sequences.forEach(KvSequence::close);
    }
  }

  private float[][] step(List<KvSequence> sequences, int[] tokens, int firstRow) {
    int rows = tokens.length;
    int wanted = rows - firstRow;
    List<ForwardBatch> batches = new ArrayList<>();
    int[] logitRows = new int[contenders.size() * wanted];
    for (int c = 0; c < contenders.size(); c++) {
      AttentionMetadata metadata = AttentionMetadata.single(sequences.get(c), rows);
      batches.add(new ForwardBatch(backends.get(c), metadata, tokens));
      for (int i = 0; i < wanted; i++) {
        logitRows[c * wanted + i] = c * rows + firstRow + i;
      }
    }
    return model.forward(batches, logitRows);
  }

  @Override
  public void close() {
    backends.forEach(AttentionBackend::close);
  }
}
