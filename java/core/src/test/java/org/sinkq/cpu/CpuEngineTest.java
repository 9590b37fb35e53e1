package org.sinkq.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import org.junit.jupiter.api.Test;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.BackendConfig;
import org.sinkq.BackendStats;
import org.sinkq.DType;
import org.sinkq.DeviceException;
import org.sinkq.EngineAccess;
import org.sinkq.InvalidArgumentException;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.TensorView;
import org.sinkq.cache.PageMasks;
import org.sinkq.cache.SinkTable;
import org.sinkq.layout.CacheGeometry;

/** Memory of the CPU engine: counted, refused, released. */
class CpuEngineTest {
  private static BackendConfig config(ModelShape shape, KvCacheSpec.Builder spec) {
    return BackendConfig.of(shape, spec.build()).withEngine("cpu").withThreads(2);
  }

  @Test
  void allocatedBytesAreWhatIsAllocated() {
    ModelShape shape = ModelShape.of(5, 4, 2, 80);
    KvCacheSpec.Builder spec =
        KvCacheSpec.builder()
            .pageTokens(64)
            .windowTokens(33)
            .codec(0, KvCodec.FP32)
            .codec(1, KvCodec.FP16)
            .codec(3, KvCodec.INT4)
            .capacityTokens(1000)
            .maxSequences(3);
    try (AttentionBackend backend = AttentionBackends.open(config(shape, spec))) {
      CpuEngine engine = (CpuEngine) EngineAccess.engine(backend);
      CacheGeometry geometry = EngineAccess.geometry(backend);
      BackendStats stats = backend.stats();
      long bytes = 0;
      for (int l = 0; l < 5; l++) {
        CpuLayer layer = engine.layer(l);
        bytes += layer.pages.byteSize() + layer.rows.segment.byteSize();
        if (layer.rows.isTracked()) {
          bytes += 3L * 2 * geometry.ringTokens() * Long.BYTES;
        }
      }
      assertEquals(3 * 2, geometry.trackedHeads());
      bytes += stats.maxPages() * 6L * PageMasks.byteSize(64);
      bytes += 3 * SinkTable.byteSize(geometry.sinks(), 6);
      // Free list, reference count and table entry of every page and sequence.
      bytes += (stats.maxPages() + 3) * 12L;
      assertEquals(bytes, stats.allocatedBytes());
    }
  }

  /** 72 bytes a token and KV head at D = 128, and the window and sinks once. */
  @Test
  void twoBitPagesTakeTwoAndAQuarterBitsANumber() {
    CacheGeometry geometry =
        new CacheGeometry(
            ModelShape.of(1, 1, 1, 128), KvCacheSpec.builder().capacityTokens(1).build());
    assertEquals(72 * 128, new CpuEngineProvider().footprint(geometry).perPage());
  }

  @Test
  void moreThanTheMachineHasIsADeviceError() {
    BackendConfig config =
        config(ModelShape.of(1, 1024, 1024, 256), KvCacheSpec.builder().capacityBytes(1L << 45));
    DeviceException e = assertThrows(DeviceException.class, () -> AttentionBackends.open(config));
    assertEquals("OUT_OF_MEMORY", e.codeName());
    assertTrue(
        e.getMessage()
            .matches(
                "OUT_OF_MEMORY: no memory for \\d+ pages and the rows of 1 sequence\\(s\\) \\(\\d+"
                    + " bytes of \\d+ in this machine\\); lower the capacity or the rows of a"
                    + " step"),
        e.getMessage());
  }

  @Test
  void memoryOfOneThreadAndOfADeviceIsRefused() {
    try (AttentionBackend backend =
            AttentionBackends.open(
                config(ModelShape.of(1, 1, 1, 64), KvCacheSpec.builder().capacityTokens(100)));
        Arena confined = Arena.ofConfined()) {
      KvSequence sequence = backend.newSequence();
      TensorView good = TensorView.of(new float[64], 1, 1, 64);
      refused(
          backend,
          sequence,
          TensorView.of(confined.allocate(256), DType.F32, 1, 1, 64),
          good,
          "q=memory confined to one thread, expected a shared, automatic or global arena or an"
              + " array");
      refused(
          backend,
          sequence,
          good,
          TensorView.ofDevice(4096, DType.F32, 1, 1, 64),
          "out has devicePointer=4096, expected host memory for the cpu engine");
      assertEquals(0, sequence.length());
    }
  }

  private static void refused(
      AttentionBackend backend, KvSequence sequence, TensorView q, TensorView out, String message) {
    TensorView kv = TensorView.of(new float[64], 1, 1, 64);
    try (AttentionPlan plan = backend.plan(AttentionMetadata.single(sequence, 1))) {
      assertEquals(
          message,
          assertThrows(InvalidArgumentException.class, () -> plan.run(0, q, kv, kv, out))
              .getMessage());
    }
  }
}
