package org.sinkq.contract;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionBackends;
import org.sinkq.BackendConfig;
import org.sinkq.BackendStats;
import org.sinkq.EngineStatus;
import org.sinkq.InvalidArgumentException;
import org.sinkq.KvCacheSpec;
import org.sinkq.ModelShape;
import org.sinkq.SinkPolicy;
import org.sinkq.reference.ReferenceHead;

/** Counts and bytes that a backend reports. */
public abstract class StatsContract {
  private static final ModelShape SHAPE = ModelShape.of(3, 4, 2, 64);

  /** Name of the engine. */
  protected abstract String engine();

  private static KvCacheSpec.Builder spec() {
    return KvCacheSpec.builder().pageTokens(32).windowTokens(8).sinks(new SinkPolicy(3, 2));
  }

  private BackendConfig config(KvCacheSpec spec) {
    return BackendConfig.of(SHAPE, spec).withEngine(engine()).withThreads(2);
  }

  @Test
  void countsFollowTheSequences() {
    KvCacheSpec spec = spec().capacityTokens(400).maxSequences(2).build();
    try (Lockstep lockstep =
        new Lockstep(AttentionBackends.open(config(spec)), Data.of(51, Data.Style.OUTLIERS))) {
      AttentionBackend backend = lockstep.backend();
      BackendStats empty = backend.stats();
      assertEquals(0, empty.usedBytes());
      assertEquals(0, empty.compression());
      assertEquals(2, empty.maxSequences());
      assertEquals(2 * ((400 - 8) / 32), empty.maxPages());
      Lockstep.Pair a = lockstep.open();
      Lockstep.Pair b = lockstep.open();
      for (int i = 0; i < 6; i++) {
        lockstep.step(List.of(a, b), new int[] {45, 20}, true);
      }
      long pool = 0;
      long spill = 0;
      int frozen = 0;
      for (Lockstep.Pair pair : List.of(a, b)) {
        for (int h = 0; h < 2; h++) {
          ReferenceHead head = pair.reference().head(2, h);
          pool += head.pool().size();
          spill += head.spill().size();
          frozen += head.isFrozen() ? 1 : 0;
        }
      }
      BackendStats stats = backend.stats();
      assertEquals(pool, stats.sinkTokens());
      assertEquals(spill, stats.spillTokens());
      assertEquals(frozen, stats.frozenHeads());
      assertEquals(6 * 65, stats.tokens());
      assertEquals((270 - 8) / 32 + (120 - 8) / 32, stats.pages());
      assertEquals(2, stats.sequences());
      assertEquals(6 * 65 * 2L * 2 * 64 * 2 * 3, stats.fp16Bytes());
      assertEquals((double) stats.fp16Bytes() / stats.usedBytes(), stats.compression());
      assertTrue(stats.usedBytes() <= stats.allocatedBytes(), stats.toString());
      a.sequence().close();
      b.sequence().close();
      assertEquals(empty, backend.stats());
    }
  }

  @Test
  void aCapacityInBytesIsKeptAndUsed() {
    long perPage = 0;
    for (long bytes : new long[] {2_000_000, 2_345_678, 9_999_999}) {
      KvCacheSpec spec = spec().capacityBytes(bytes).maxSequences(2).build();
      try (AttentionBackend backend = AttentionBackends.open(config(spec))) {
        BackendStats stats = backend.stats();
        assertEquals(
            stats.allocatedBytes(), AttentionBackends.requiredBytes(config(spec), engine()));
        assertTrue(stats.allocatedBytes() <= bytes, stats.toString());
        KvCacheSpec one = spec().capacityTokens(1).maxSequences(1).build();
        KvCacheSpec two = spec().capacityTokens(72).maxSequences(1).build();
        perPage =
            AttentionBackends.requiredBytes(config(two), engine())
                - AttentionBackends.requiredBytes(config(one), engine());
        assertTrue(bytes - stats.allocatedBytes() < perPage, stats + ", page " + perPage);
      }
    }
  }

  @Test
  void aCapacityTooSmallForOnePageIsRefused() {
    KvCacheSpec smallest = spec().capacityTokens(1).maxSequences(1).build();
    long needed = AttentionBackends.requiredBytes(config(smallest), engine());
    AttentionBackends.open(config(spec().capacityBytes(needed).build())).close();
    InvalidArgumentException e =
        assertThrows(
            InvalidArgumentException.class,
            () -> AttentionBackends.open(config(spec().capacityBytes(needed - 1).build())));
    assertTrue(
        e.getMessage()
            .startsWith("capacityBytes=" + (needed - 1) + ", expected at least " + needed + ": "),
        e.getMessage());
  }

  @Test
  void theStatusSaysWhoRunsAndWhy() {
    try (AttentionBackend backend =
        AttentionBackends.open(config(spec().capacityTokens(64).build()))) {
      EngineStatus status = backend.engine();
      assertEquals(engine(), status.name());
      assertTrue(status.available());
      assertTrue(status.reason().startsWith("asked for by name"), status.toString());
      assertEquals(SHAPE, backend.config().shape());
    }
  }
}
