package org.sinkq.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.util.zip.CRC32C;
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
class CpuPagesTest {
  private static final int ROWS = 40;

  private static AttentionBackend open(String engine) {
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .pageTokens(32)
            .windowTokens(0)
            .codec(KvCodec.INT2_ADAPTIVE)
            .capacityTokens(64)
            .maxSequences(1)
            .build();
    return AttentionBackends.open(
        BackendConfig.of(ModelShape.of(1, 1, 1, 64), spec).withEngine(engine).withThreads(1));
  }

  private static byte[] saved(String engine) throws IOException {
    try (AttentionBackend backend = open(engine);
        KvSequence sequence = backend.newSequence()) {
      TensorView rows = TensorView.of(new float[ROWS * 64], ROWS, 1, 64);
      try (AttentionPlan plan = backend.plan(AttentionMetadata.single(sequence, ROWS))) {
        plan.append(0, rows, rows);
        plan.commit();
      }
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      sequence.save(Channels.newChannel(bytes));
      return bytes.toByteArray();
    }
  }

  private static String refused(byte[] bytes) {
    try (AttentionBackend backend = open(CpuEngineProvider.NAME)) {
      String message =
          assertThrows(
                  InvalidArgumentException.class,
                  () -> backend.restore(Channels.newChannel(new ByteArrayInputStream(bytes))))
              .getMessage();
      assertEquals(0, backend.stats().pages());
      assertEquals(0, backend.stats().sequences());
      return message;
    }
  }

  @Test
  void digitsOfAnotherEngineAreRefused() throws IOException {
    assertEquals(
        "codec of layer 0=INT2_ADAPTIVE in another engine's order, expected pages of engine cpu",
        refused(saved("reference")));
  }

  @Test
  void anUnknownOrderIsNamed() throws IOException {
    byte[] bytes = saved(CpuEngineProvider.NAME);
    int header = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getInt(12);
    bytes[60] = 'x';
    CRC32C crc = new CRC32C();
    crc.update(bytes, 0, header - 4);
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(header - 4, (int) crc.getValue());
    String message = refused(bytes);
    assertTrue(
        message.startsWith("page format=xpu of a saved sequence, expected cpu, or "), message);
  }
}
