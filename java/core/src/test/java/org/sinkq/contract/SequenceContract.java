package org.sinkq.contract;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.sinkq.BackendStats;
import org.sinkq.CapacityExhaustedException;
import org.sinkq.EngineAccess;
import org.sinkq.InvalidArgumentException;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.SinkPolicy;
import org.sinkq.cache.SequenceState;

/** Fork, truncate, close. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class SequenceContract {
  private static final ModelShape SHAPE = ModelShape.of(2, 2, 2, 64);

  /** Name of the engine. */
  protected abstract String engine();

  List<KvCodec> codecs() {
    return EngineTraits.codecs(engine());
  }

  private Lockstep open(KvCodec codec, int sequences) {
    int scale = EngineTraits.pageScale(engine(), codec);
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .pageTokens(32 * scale)
            .windowTokens(10)
            .codec(codec)
            .firstSinkLayer(1)
            .sinks(new SinkPolicy(2, 3))
            .capacityTokens(320 * scale)
            .maxSequences(sequences)
            .build();
    return new Lockstep(engine(), SHAPE, spec, 2, Data.of(31, Data.Style.OUTLIERS));
  }

  @ParameterizedTest
  @MethodSource("codecs")
  void forksShareFullPagesAndGoTheirOwnWay(KvCodec codec) {
    int scale = EngineTraits.pageScale(engine(), codec);
    try (Lockstep lockstep = open(codec, 3)) {
      Lockstep.Pair parent = lockstep.open();
      lockstep.step(parent, 110 * scale);
      int pages = lockstep.backend().stats().pages();
      Lockstep.Pair child = lockstep.fork(parent);
      assertEquals(pages, lockstep.backend().stats().pages());
      assertEquals(220L * scale, lockstep.backend().stats().tokens());
      SequenceState a = EngineAccess.state(parent.sequence());
      SequenceState b = EngineAccess.state(child.sequence());
      for (int p = 0; p < a.pageCount(); p++) {
        assertEquals(a.page(p), b.page(p));
      }
      StateCheck.verify(lockstep.backend(), child);
      lockstep.step(List.of(child, parent), new int[] {50 * scale, 1}, true);
      lockstep.step(parent, 60 * scale);
      StateCheck.verify(lockstep.backend(), child);
      Lockstep.Pair grandchild = lockstep.fork(child);
      child.sequence().close();
      parent.sequence().close();
      lockstep.step(grandchild, 45 * scale);
      grandchild.sequence().close();
      assertEquals(0, lockstep.backend().stats().pages());
      assertEquals(0, lockstep.backend().stats().tokens());
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {130, 129, 128, 127, 100, 97, 96, 95, 70, 65, 64, 63, 33, 32, 31, 1, 0})
  void truncateAndGoOn(int length) {
    try (Lockstep lockstep = open(KvCodec.INT2, 2)) {
      Lockstep.Pair pair = lockstep.open();
      lockstep.step(pair, 45);
      lockstep.step(pair, 40);
      lockstep.step(pair, 45);
      Lockstep.Pair other = lockstep.fork(pair);
      lockstep.truncate(pair, length);
      assertEquals(length, pair.sequence().length());
      StateCheck.verify(lockstep.backend(), pair);
      lockstep.step(pair, 1);
      lockstep.step(pair, 70);
      // Pages that the fork shares are as they were.
      StateCheck.verify(lockstep.backend(), other);
      lockstep.step(other, 30);
      other.sequence().close();
      lockstep.truncate(pair, 0);
      assertEquals(0, lockstep.backend().stats().pages());
      lockstep.step(pair, 50);
    }
  }

  @ParameterizedTest
  @MethodSource("codecs")
  void truncateOfEveryCodec(KvCodec codec) {
    int scale = EngineTraits.pageScale(engine(), codec);
    try (Lockstep lockstep = open(codec, 1)) {
      Lockstep.Pair pair = lockstep.open();
      for (int length : new int[] {90, 75, 33, 60}) {
        lockstep.step(pair, 150 * scale - pair.sequence().length());
        lockstep.truncate(pair, length * scale);
        StateCheck.verify(lockstep.backend(), pair);
      }
    }
  }

  @Test
  void truncateRefusesLengthsOutOfRange() {
    try (Lockstep lockstep = open(KvCodec.INT2, 1)) {
      Lockstep.Pair pair = lockstep.open();
      lockstep.step(pair, 50);
      InvalidArgumentException above =
          assertThrows(InvalidArgumentException.class, () -> pair.sequence().truncate(51));
      assertEquals("length=51, expected 0 to the sequence's length 50", above.getMessage());
      assertThrows(InvalidArgumentException.class, () -> pair.sequence().truncate(-1));
      StateCheck.verify(lockstep.backend(), pair);
    }
  }

  @Test
  void forkWithoutAFreeSlotChangesNothing() {
    try (Lockstep lockstep = open(KvCodec.INT2, 2)) {
      Lockstep.Pair pair = lockstep.open();
      lockstep.step(pair, 80);
      KvSequence second = lockstep.backend().newSequence();
      BackendStats before = lockstep.backend().stats();
      CapacityExhaustedException e =
          assertThrows(CapacityExhaustedException.class, () -> pair.sequence().fork());
      assertEquals(
          "sequences exhausted: needed=1, free=0; close or truncate sequences, or open the backend"
              + " with more capacity",
          e.getMessage());
      assertEquals(before, lockstep.backend().stats());
      second.close();
      Lockstep.Pair fork = lockstep.fork(pair);
      lockstep.step(fork, 30);
      lockstep.step(pair, 30);
    }
  }

  @Test
  void closedSequencesAreRefused() {
    try (Lockstep lockstep = open(KvCodec.INT2, 2)) {
      Lockstep.Pair pair = lockstep.open();
      lockstep.step(pair, 50);
      pair.sequence().close();
      pair.sequence().close();
      assertTrue(pair.sequence().isClosed());
      String message = "sequence=closed, expected an open one";
      refused(message, () -> pair.sequence().length());
      refused(message, () -> pair.sequence().fork());
      refused(message, () -> pair.sequence().truncate(0));
      refused(message, () -> pair.sequence().sinkPositions(1, 0));
      refused(message, () -> lockstep.begin(List.of(pair), new int[] {1}));
      assertEquals(0, lockstep.backend().stats().sequences());
      // A slot that was used before starts clean.
      Lockstep.Pair next = lockstep.open();
      lockstep.step(next, 1);
      lockstep.step(next, 60);
    }
  }

  @Test
  void closingTheBackendClosesItsSequences() {
    Lockstep lockstep = open(KvCodec.INT2, 2);
    Lockstep.Pair pair = lockstep.open();
    lockstep.step(pair, 50);
    lockstep.close();
    lockstep.close();
    assertTrue(pair.sequence().isClosed());
    pair.sequence().close();
    String message = "backend=closed, expected an open one";
    refused(message, () -> lockstep.backend().newSequence());
    refused(message, () -> lockstep.backend().stats());
    refused("sequence=closed, expected an open one", () -> pair.sequence().length());
    refused(message, () -> lockstep.begin(List.of(pair), new int[] {1}));
  }

  private static void refused(String message, Executable call) {
    assertEquals(message, assertThrows(InvalidArgumentException.class, call).getMessage());
  }
}
