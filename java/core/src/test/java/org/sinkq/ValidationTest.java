package org.sinkq;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every message of a value out of range names the value and what was expected. */
class ValidationTest {
  private static KvCacheSpec.Builder spec() {
    return KvCacheSpec.builder().capacityTokens(100);
  }

  private static TensorView view(
      int tokens, int heads, int dim, long tokenStride, long headStride) {
    return new TensorView(
        MemorySegment.ofArray(new float[64]),
        0,
        DType.F32,
        tokens,
        heads,
        dim,
        tokenStride,
        headStride);
  }

  private static AttentionBackend open(KvCacheSpec spec) {
    return AttentionBackends.open(BackendConfig.of(ModelShape.of(2, 1, 1, 64), spec));
  }

  /** By message, so that no two cases share one. */
  static Map<String, Supplier<?>> cases() {
    Map<String, Supplier<?>> all = new TreeMap<>();
    all.put("numLayers=0, expected 1 to 1024", () -> ModelShape.of(0, 1, 1, 64));
    all.put("numKvHeads=1025, expected 1 to 1024", () -> ModelShape.of(1, 1, 1025, 64));
    all.put(
        "numQoHeads=5, expected a positive multiple of numKvHeads=2",
        () -> ModelShape.of(1, 5, 2, 64));
    all.put(
        "headDim=72, expected one of 64, 80, 96, 128, 192, 256", () -> ModelShape.of(1, 1, 1, 72));
    ModelShape shape = ModelShape.of(1, 1, 1, 64);
    all.put(
        "softmaxScale=NaN, expected a finite positive number",
        () -> shape.withSoftmaxScale(Float.NaN));
    all.put(
        "logitsSoftCap=-1.0, expected 0 (none) or a finite positive number",
        () -> shape.withLogitsSoftCap(-1));
    all.put(
        "slidingWindow=-1, expected 0 (none) or a positive number",
        () -> shape.withSlidingWindow(-1));
    all.put(
        "slidingPeriod=-1, expected 0 (none) or a positive number",
        () -> shape.withSlidingPeriod(-1));
    all.put("poolTokens=32, expected 0 to 31", () -> new SinkPolicy(32, 0));
    all.put("spillTokens=225, expected 0 to 224", () -> new SinkPolicy(1, 225));
    all.put(
        "spillTokens=2 with poolTokens=0, expected spillTokens=0 where nothing is tracked",
        () -> new SinkPolicy(0, 2));
    all.put("pageTokens=16, expected 32, 64 or 128", () -> spec().pageTokens(16).build());
    all.put("valueGroup=48, expected 32, 64 or 128", () -> spec().valueGroup(48).build());
    all.put("windowTokens=-1, expected 0 to 4096", () -> spec().windowTokens(-1).build());
    all.put("maxSequences=0, expected 1 to 1048576", () -> spec().maxSequences(0).build());
    all.put(
        "capacityBytes=7, capacityTokens=100, expected exactly one of them to be positive",
        () -> spec().capacityBytes(7).build());
    all.put(
        "capacityBytes=0, capacityTokens=0, expected exactly one of them to be positive",
        () -> KvCacheSpec.builder().build());
    all.put("firstSinkLayer=-1, expected 0 or more", () -> spec().firstSinkLayer(-1).build());
    all.put(
        "a setting for layer=2, expected 0 to 1",
        () -> open(spec().codec(2, KvCodec.FP16).build()));
    all.put("a setting for layer=-1, expected 0 to 1", () -> open(spec().sinks(-1, true).build()));
    all.put(
        "threads=-1, expected 0 (one per processor) to 1024",
        () -> BackendConfig.of(shape, spec().build()).withThreads(-1));
    all.put(
        "sequences=[], expected at least one",
        () -> new AttentionMetadata(List.of(), new int[] {0}));
    Supplier<List<KvSequence>> one =
        () -> {
          KvSequence sequence = open(spec().build()).newSequence();
          return List.of(sequence);
        };
    all.put(
        "qoIndptr has 3 entries, expected 2 (sequences + 1)",
        () -> new AttentionMetadata(one.get(), new int[] {0, 1, 2}));
    all.put("qoIndptr[0]=1, expected 0", () -> new AttentionMetadata(one.get(), new int[] {1, 2}));
    all.put(
        "qoIndptr[1]=0, expected more than qoIndptr[0]=0",
        () -> new AttentionMetadata(one.get(), new int[] {0, 0}));
    all.put("tokens=-1, expected 0 or more", () -> view(-1, 1, 8, 8, 8));
    all.put("heads=0, expected 1 or more", () -> view(1, 0, 8, 8, 8));
    all.put("headDim=0, expected 1 or more", () -> view(1, 1, 0, 8, 8));
    all.put("headStride=7, expected at least headDim=8", () -> view(1, 2, 8, 16, 7));
    all.put(
        "tokenStride=15, expected at least the extent of a row, 16", () -> view(2, 2, 8, 15, 8));
    all.put(
        "tokenStride=4611686018427387904, headStride=8, expected a tensor of fewer than 2^60 bytes",
        () -> view(3, 2, 8, 1L << 62, 8));
    all.put(
        "segment has 256 bytes, expected at least 284 for [4, 1, 8] F32",
        () -> view(4, 1, 8, 21, 8));
    all.put(
        "devicePointer=0 with segment=null, expected exactly one of them",
        () -> new TensorView(null, 0, DType.F32, 1, 1, 8, 8, 8));
    return all;
  }

  static List<String> messages() {
    return List.copyOf(cases().keySet());
  }

  @ParameterizedTest
  @MethodSource("messages")
  void refused(String message) {
    assertEquals(
        message,
        assertThrows(InvalidArgumentException.class, () -> cases().get(message).get())
            .getMessage());
  }
}
