package org.sinkq.llm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Properties;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.AttentionMetadata;
import org.sinkq.BackendConfig;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.KvSequence;

/**
 * SmolLM2-135M, or Gemma 3 270M, against transformers in binary32; see expect_model.py. Needs the
 * weights: system property {@code sinkq.model}.
 */
@Tag("model")
class ReferenceAgreementTest {
  private static final int PROMPTS = 3;

  /** The cache rounds keys and values to 11 bits; logits are about 20. */
  private static final float TOLERANCE = 0.05f;

  @Test
  void greedyTokensAndLogitsAgree() throws IOException {
    try (LanguageModel model = LanguageModel.open(Path.of(System.getProperty("sinkq.model")), 0);
        AttentionBackend backend =
            AttentionBackends.open(
                BackendConfig.of(
                    model.attentionShape(),
                    KvCacheSpec.builder().codec(KvCodec.FP16).capacityTokens(256).build()))) {
      Properties expected = expected(model.info().architecture());
      for (int i = 0; i < PROMPTS; i++) {
        check(expected, i, model, backend);
      }
    }
  }

  private static Properties expected(String architecture) throws IOException {
    String name = architecture.equals("gemma3") ? "gemma3.properties" : "smollm2.properties";
    Properties expected = new Properties();
    try (InputStream in = ReferenceAgreementTest.class.getResourceAsStream(name)) {
      expected.load(in);
    }
    return expected;
  }

  private static int[] ids(Properties expected, String key) {
    return Arrays.stream(expected.getProperty(key).split(",", -1))
        .mapToInt(Integer::parseInt)
        .toArray();
  }

  private static void check(
      Properties expected, int prompt, LanguageModel model, AttentionBackend backend) {
    int[] ids = ids(expected, prompt + ".prompt");
    int[] greedy = ids(expected, prompt + ".greedy");
    int[] rows = new int[ids.length];
    Arrays.setAll(rows, r -> r);
    int[] found = new int[greedy.length];
    try (KvSequence sequence = backend.newSequence()) {
      float[][] logits =
          model.forward(backend, AttentionMetadata.single(sequence, ids.length), ids, rows);
      for (int r = 0; r < ids.length; r++) {
        compare(expected, prompt, r, logits[r]);
      }
      found[0] = argmax(logits[ids.length - 1]);
      for (int i = 1; i < found.length; i++) {
        int[] token = {found[i - 1]};
        float[] next =
            model.forward(backend, AttentionMetadata.single(sequence, 1), token, new int[] {0})[0];
        compare(expected, prompt, ids.length + i - 1, next);
        found[i] = argmax(next);
      }
    }
    assertArrayEquals(greedy, found, "prompt " + prompt);
  }

  private static void compare(Properties expected, int prompt, int position, float[] logits) {
    String pairs = expected.getProperty(prompt + ".logits." + position);
    if (pairs == null) {
      return;
    }
    for (String pair : pairs.split(",", -1)) {
      String[] parts = pair.split(":", -1);
      int token = Integer.parseInt(parts[0]);
      assertEquals(
          Float.parseFloat(parts[1]),
          logits[token],
          TOLERANCE,
          "prompt " + prompt + ", position " + position + ", token " + token);
    }
  }

  private static int argmax(float[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      if (logits[i] > logits[best]) {
        best = i;
      }
    }
    return best;
  }
}
