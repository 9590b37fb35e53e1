package org.sinkq.llm;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.AttentionMetadata;
import org.sinkq.BackendConfig;
import org.sinkq.InvalidArgumentException;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.KvSequence;

/** The forward pass on a device against the one on the CPU. */
abstract class DeviceForwardContract {
  private static final int[] NEXT = {7, 8};

  /** Relative to the largest logit: weights and what goes into products are fp16 on the device. */
  private static final float TOLERANCE = 5e-3f;

  @TempDir Path folder;

  /** Name of the engine whose device is to be used. */
  abstract String engine();

  private static AttentionBackend open(LanguageModel model, String engine) {
    KvCacheSpec cache =
        KvCacheSpec.builder()
            .codec(KvCodec.FP16)
            .pageTokens(32)
            .windowTokens(4)
            .capacityTokens(256)
            .maxSequences(4)
            .build();
    return AttentionBackends.open(
        BackendConfig.of(model.attentionShape(), cache).withThreads(1).withEngine(engine));
  }

  private Path write(String kind) {
    TinyModel model =
        switch (kind) {
          case "qwen2" -> new TinyModel("qwen2", 5).withBiases();
          case "qwen3" -> new TinyModel("qwen3", 6).withHeadNorms().withOutput();
          case "gemma3" -> new TinyModel("gemma3", 7).withHeadNorms().withPostNorms();
          default -> new TinyModel("llama", 4).withRopeFactors();
        };
    return model.write(folder.resolve(kind + ".gguf"));
  }

  private static int[] tokens(long seed, int n) {
    return new SplittableRandom(seed).ints(n, 0, TinyModel.VOCABULARY).toArray();
  }

  private static void assertClose(float[][] expected, float[][] actual) {
    assertEquals(expected.length, actual.length);
    for (int r = 0; r < expected.length; r++) {
      float largest = 0;
      for (float x : expected[r]) {
        largest = Math.max(largest, Math.abs(x));
      }
      assertArrayEquals(expected[r], actual[r], TOLERANCE * largest, "row " + r);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama", "qwen2", "qwen3"})
  void logitsAreThoseOfTheCpu(String kind) {
    try (LanguageModel model = LanguageModel.open(write(kind), 1);
        AttentionBackend host = open(model, "cpu");
        AttentionBackend device = open(model, engine())) {
      model.moveTo(device);
      int[] prompt = tokens(1, 50);
      int[] rows = IntStream.range(0, 50).toArray();
      try (KvSequence a = host.newSequence();
          KvSequence b = host.newSequence();
          KvSequence c = device.newSequence();
          KvSequence d = device.newSequence()) {
        int[] indptr = {0, 37, 50};
        assertClose(
            model.forward(host, new AttentionMetadata(List.of(a, b), indptr), prompt, rows),
            model.forward(device, new AttentionMetadata(List.of(c, d), indptr), prompt, rows));
        for (int i = 0; i < 3; i++) {
          assertClose(
              model.forward(host, AttentionMetadata.decode(List.of(b, a)), NEXT, new int[] {1, 0}),
              model.forward(
                  device, AttentionMetadata.decode(List.of(d, c)), NEXT, new int[] {1, 0}));
        }
        assertEquals(40, c.length());
      }
    }
  }

  @Test
  void stepsRepeatBitForBit() {
    try (LanguageModel model = LanguageModel.open(write("llama"), 1);
        AttentionBackend device = open(model, engine())) {
      int[] prompt = tokens(2, 20);
      float[][][] results = new float[2][][];
      for (int i = 0; i < 2; i++) {
        model.moveTo(device);
        try (KvSequence sequence = device.newSequence()) {
          results[i] =
              model.forward(
                  device, AttentionMetadata.single(sequence, 20), prompt, new int[] {19, 3});
        }
      }
      assertArrayEquals(results[0][0], results[1][0]);
      assertArrayEquals(results[0][1], results[1][1]);
    }
  }

  @Test
  void aFailedStepLeavesNoTrace() {
    try (LanguageModel model = LanguageModel.open(write("llama"), 1);
        AttentionBackend device = open(model, engine());
        KvSequence sequence = device.newSequence()) {
      model.moveTo(device);
      AttentionMetadata twice =
          new AttentionMetadata(List.of(sequence, sequence), new int[] {0, 1, 2});
      assertThrows(
          InvalidArgumentException.class, () -> model.forward(device, twice, NEXT, new int[] {0}));
      assertEquals(0, sequence.length());
      float[][] logits =
          model.forward(device, AttentionMetadata.single(sequence, 2), NEXT, new int[] {1});
      assertTrue(Float.isFinite(logits[0][0]));
    }
  }

  @Test
  void anEngineWithoutADeviceIsRefused() {
    try (LanguageModel model = LanguageModel.open(write("llama"), 1);
        AttentionBackend host = open(model, "cpu")) {
      InvalidArgumentException e =
          assertThrows(InvalidArgumentException.class, () -> model.moveTo(host));
      assertEquals("engine=cpu, expected cuda", e.getMessage());
    }
  }

  @Test
  void anArchitectureThatRunsOnTheCpuOnlyIsRefused() {
    try (LanguageModel model = LanguageModel.open(write("gemma3"), 1);
        AttentionBackend device = open(model, engine())) {
      InvalidArgumentException e =
          assertThrows(InvalidArgumentException.class, () -> model.moveTo(device));
      assertEquals(
          "architecture=gemma3, expected llama, qwen2 or qwen3 to run on a GPU", e.getMessage());
    }
  }
}
