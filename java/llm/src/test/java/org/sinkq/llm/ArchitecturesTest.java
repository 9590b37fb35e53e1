package org.sinkq.llm;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.AttentionMetadata;
import org.sinkq.BackendConfig;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.KvSequence;

/** Each architecture against the naive forward pass, a prompt in chunks and then token by token. */
class ArchitecturesTest {
  private static final int TOKENS = 150;
  private static final int[] STEPS = {1, 2, 40, 60};

  @TempDir Path folder;

  private void check(TinyModel tiny) {
    SplittableRandom random = new SplittableRandom(3);
    int[] tokens = random.ints(TOKENS, 0, TinyModel.VOCABULARY).toArray();
    double[][] expected = new NaiveForward(tiny).logits(tokens);
    try (LanguageModel model = LanguageModel.open(tiny.write(folder.resolve("m.gguf")), 2);
        AttentionBackend backend = open(model);
        KvSequence sequence = backend.newSequence()) {
      int done = 0;
      for (int step = 0; done < TOKENS; step++) {
        int rows = step < STEPS.length ? STEPS[step] : 1;
        int[] chunk = Arrays.copyOfRange(tokens, done, done + rows);
        int[] all = new int[rows];
        Arrays.setAll(all, i -> i);
        float[][] logits =
            model.forward(backend, AttentionMetadata.single(sequence, rows), chunk, all);
        assertEquals(rows, logits.length);
        for (int r = 0; r < rows; r++) {
          assertEquals(TinyModel.VOCABULARY, logits[r].length);
          for (int i = 0; i < logits[r].length; i++) {
            assertEquals(expected[done + r][i], logits[r][i], 2e-4, "position=" + (done + r));
          }
        }
        done += rows;
        assertEquals(done, sequence.length());
      }
    }
  }

  private static AttentionBackend open(LanguageModel model) {
    KvCacheSpec cache =
        KvCacheSpec.builder().codec(KvCodec.FP32).capacityTokens(TinyModel.CONTEXT).build();
    return AttentionBackends.open(BackendConfig.of(model.attentionShape(), cache).withThreads(2));
  }

  @Test
  void llama() {
    check(new TinyModel("llama", 1).withOutput());
  }

  @Test
  void llamaWithTiedEmbeddings() {
    check(new TinyModel("llama", 2));
  }

  @Test
  void llamaWithRopeFactors() {
    check(new TinyModel("llama", 3).withRopeFactors());
  }

  @Test
  void llamaWithLinearScaling() {
    TinyModel tiny = new TinyModel("llama", 4);
    tiny.ropeFactor = 4;
    check(tiny.string("rope.scaling.type", "linear").float32("rope.scaling.factor", 4));
  }

  @Test
  void llamaWithThePartialRope() {
    TinyModel tiny = new TinyModel("llama", 5);
    tiny.ropeDimensions = 32;
    check(tiny.uint32("rope.dimension_count", 32));
  }

  @Test
  void mistralWithASlidingWindow() {
    TinyModel tiny = new TinyModel("llama", 6);
    tiny.slidingWindow = 37;
    check(tiny.uint32("attention.sliding_window", 37));
  }

  @Test
  void qwen2() {
    check(new TinyModel("qwen2", 7).withBiases());
  }

  /** Its layers have a sliding window, except for every sixth. */
  @Test
  void gemma3() {
    TinyModel tiny = new TinyModel("gemma3", 9).withHeadNorms().withPostNorms();
    tiny.slidingWindow = 37;
    tiny.slidingRopeBase = 100;
    check(tiny.uint32("attention.sliding_window", 37).float32("rope.freq_base_swa", 100));
  }

  @Test
  void qwen3() {
    check(new TinyModel("qwen3", 8).withHeadNorms());
  }
}
