package org.sinkq.cli.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.BackendConfig;
import org.sinkq.InvalidArgumentException;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.ModelShape;
import org.sinkq.SinkPolicy;

class CapacityPlannerTest {
  private static final String ENGINE = "cpu";
  private static final DecoderShape SMALL =
      DecoderShape.llama("small", ModelShape.of(3, 4, 2, 64), 256, 512, 1000);

  static CapacityPlanner.Format format(KvCodec codec) {
    return (sequences, tokens) ->
        KvCacheSpec.builder()
            .codec(codec)
            .sinks(codec.isQuantized() ? SinkPolicy.DEFAULT : SinkPolicy.NONE)
            .maxSequences(sequences)
            .capacityTokens(tokens)
            .build();
  }

  private static CapacityPlanner planner(long cacheBytes) {
    return new CapacityPlanner(SMALL, SMALL.weightBytes() + cacheBytes, ENGINE);
  }

  @Test
  void countsTheBytesThatTheEngineAllocates() {
    KvCacheSpec spec = format(KvCodec.INT2).spec(3, 1000);
    BackendConfig config = BackendConfig.of(SMALL.attention(), spec).withEngine(ENGINE);
    try (AttentionBackend backend = AttentionBackends.open(config)) {
      assertEquals(
          backend.stats().allocatedBytes(),
          planner(1 << 20).requiredBytes(format(KvCodec.INT2), 3, 1000));
    }
  }

  @Test
  void asManySequencesFitAsTheirBytesAllow() {
    CapacityPlanner.Format format = format(KvCodec.INT2);
    long seven = planner(1 << 20).requiredBytes(format, 7, 1000);
    assertEquals(7, planner(seven).sequencesThatFit(format, 1000));
    assertEquals(6, planner(seven - 1).sequencesThatFit(format, 1000));
    assertEquals(0, planner(1000).sequencesThatFit(format, 1000));
  }

  @Test
  void twoBitsFitAboutSixTimesAsManyLongSequencesAsFp16() {
    DecoderShape llama = DecoderShape.find("Llama-3-8B").orElseThrow();
    CapacityPlanner planner = new CapacityPlanner(llama, 76L << 30, ENGINE);
    int dense = planner.sequencesThatFit(format(KvCodec.FP16), 32768);
    int quantized = planner.sequencesThatFit(format(KvCodec.INT2), 32768);
    assertTrue(quantized >= 6 * dense, dense + " and " + quantized);
  }

  @Test
  void parametersOfLlama3AreThoseOfItsCard() {
    DecoderShape llama = DecoderShape.find("llama-3-8b").orElseThrow();
    assertEquals(8.03e9, (double) llama.parameters(), 0.01e9);
    assertEquals(
        6.74e9, (double) DecoderShape.find("llama-2-7b").orElseThrow().parameters(), 0.01e9);
  }

  @Test
  void weightsThatDoNotFitAreRefused() {
    InvalidArgumentException e =
        assertThrows(
            InvalidArgumentException.class,
            () ->
                new CapacityPlanner(
                    DecoderShape.find("llama-3-8b").orElseThrow(), 10L << 30, ENGINE));
    assertTrue(
        e.getMessage().startsWith("memory=10737418240, expected more than "), e.getMessage());
  }
}
