package org.sinkq.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.channels.Channels;
import org.junit.jupiter.api.Test;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.BackendConfig;
import org.sinkq.InvalidArgumentException;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.TensorView;

/** Pages of saved sequences that this engine cannot take. */
class CudaPagesTest {
  private static final int ROWS = 130;

  private static AttentionBackend open(String engine) {
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .windowTokens(0)
            .codec(KvCodec.INT2_ADAPTIVE)
            .capacityTokens(2 * ROWS)
            .maxSequences(1)
            .build();
    return AttentionBackends.open(
        BackendConfig.of(ModelShape.of(1, 1, 1, 64), spec).withEngine(engine));
  }

  @Test
  void digitsOfAnotherEngineAreRefused() throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (AttentionBackend cpu = open("cpu");
        KvSequence sequence = cpu.newSequence()) {
      TensorView rows = TensorView.of(new float[ROWS * 64], ROWS, 1, 64);
      try (AttentionPlan plan = cpu.plan(AttentionMetadata.single(sequence, ROWS))) {
        plan.append(0, rows, rows);
        plan.commit();
      }
      sequence.save(Channels.newChannel(bytes));
    }
    try (AttentionBackend cuda = open(InterpretedEngineProvider.NAME)) {
      ByteArrayInputStream saved = new ByteArrayInputStream(bytes.toByteArray());
      InvalidArgumentException e =
          assertThrows(
              InvalidArgumentException.class, () -> cuda.restore(Channels.newChannel(saved)));
      assertEquals(
          "codec of layer 0=INT2_ADAPTIVE in another engine's order, expected pages of engine cuda",
          e.getMessage());
      assertEquals(0, cuda.stats().pages());
    }
  }
}
