package org.sinkq.jlama;

import com.github.tjake.jlama.tensor.AbstractTensor;
import com.github.tjake.jlama.tensor.KvBufferCache;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.AttentionMetadata;
import org.sinkq.BackendConfig;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvSequence;
import org.sinkq.llm.LanguageModel;

/** How well a model expects a text: exp of the mean negative log-likelihood of its tokens. */
@SuppressWarnings("rawtypes") // Jlama's tensors are raw everywhere.
final class Perplexity {
  /** Divides the window and the page, so that every row sees what it would see token by token. */
  private static final int CHUNK = 32;

  private Perplexity() {}

  /** In Jlama, from the sequence as the model's own cache keeps it. */
  static double of(SinkqModel model, int[] tokens) {
    KvBufferCache.KvBuffer buffer = new KvBufferCache(model).getEphemeralKvBuffer();
    double sum = 0;
    for (int from = 0; from < tokens.length; from += CHUNK) {
      int to = Math.min(tokens.length, from + CHUNK);
      AbstractTensor rows = model.batchForward(Arrays.copyOfRange(tokens, from, to), from, buffer);
      for (int i = from; i < Math.min(to, tokens.length - 1); i++) {
        float[] probabilities = model.getLogits(rows.slice(i - from));
        sum -= Math.log(probabilities[tokens[i + 1]]);
      }
      rows.close();
    }
    model.release(buffer);
    return Math.exp(sum / (tokens.length - 1));
  }

  /** In our own host, with the default cache and the same chunks. */
  static double ofHost(Path gguf, int[] tokens) {
    KvCacheSpec cache = KvCacheSpec.builder().capacityTokens(tokens.length).build();
    try (LanguageModel model = LanguageModel.open(gguf, 0);
        AttentionBackend backend =
            AttentionBackends.open(BackendConfig.of(model.attentionShape(), cache));
        KvSequence sequence = backend.newSequence()) {
      double sum = 0;
      for (int from = 0; from < tokens.length; from += CHUNK) {
        int[] chunk = Arrays.copyOfRange(tokens, from, Math.min(tokens.length, from + CHUNK));
        float[][] logits =
            model.forward(
                backend,
                AttentionMetadata.single(sequence, chunk.length),
                chunk,
                IntStream.range(0, chunk.length).toArray());
        for (int i = from; i < Math.min(from + chunk.length, tokens.length - 1); i++) {
          sum += negativeLogLikelihood(logits[i - from], tokens[i + 1]);
        }
      }
      return Math.exp(sum / (tokens.length - 1));
    }
  }

  private static double negativeLogLikelihood(float[] logits, int token) {
    double max = Double.NEGATIVE_INFINITY;
    for (float logit : logits) {
      max = Math.max(max, logit);
    }
    double sum = 0;
    for (float logit : logits) {
      sum += Math.exp(logit - max);
    }
    return max + Math.log(sum) - logits[token];
  }
}
