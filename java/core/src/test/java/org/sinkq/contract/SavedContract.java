package org.sinkq.contract;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.sinkq.AttentionBackend;
import org.sinkq.AttentionMetadata;
import org.sinkq.AttentionPlan;
import org.sinkq.BackendStats;
import org.sinkq.CapacityExhaustedException;
import org.sinkq.EngineAccess;
import org.sinkq.InvalidArgumentException;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.KvSequence;
import org.sinkq.ModelShape;
import org.sinkq.SinkPolicy;
import org.sinkq.TensorView;

/** Sequences that are saved go on somewhere else as if nothing had happened. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class SavedContract {
  private static final ModelShape SHAPE = ModelShape.of(2, 4, 2, 64);

  /** Engines that write pages in an order of their own. */
  private static final List<String> OTHERS = List.of("reference", "cpu");

  /** Name of the engine. */
  protected abstract String engine();

  List<KvCodec> codecs() {
    return EngineTraits.codecs(engine());
  }

  List<KvCodec> commonCodecs() {
    return codecs().stream().filter(codec -> codec != KvCodec.INT2_ADAPTIVE).toList();
  }

  private static KvCacheSpec.Builder spec(KvCodec codec) {
    return spec(codec, 1);
  }

  /** With pages so many times as long. */
  private static KvCacheSpec.Builder spec(KvCodec codec, int scale) {
    return KvCacheSpec.builder()
        .pageTokens(32 * scale)
        .windowTokens(10)
        .codec(codec)
        .firstSinkLayer(1)
        .sinks(new SinkPolicy(2, 3))
        .capacityTokens(200 * scale)
        .maxSequences(3);
  }

  private static Lockstep open(String engine, KvCodec codec) {
    Data data = Data.of(71, Data.Style.OUTLIERS);
    int scale = EngineTraits.pageScale(engine, codec);
    return new Lockstep(engine, SHAPE, spec(codec, scale).build(), 2, data);
  }

  private Lockstep open(KvCodec codec) {
    return open(engine(), codec);
  }

  private static byte[] save(KvSequence sequence) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    sequence.save(Channels.newChannel(bytes));
    return bytes.toByteArray();
  }

  private static KvSequence restore(AttentionBackend backend, byte[] bytes) throws IOException {
    return backend.restore(channel(bytes));
  }

  private static ReadableByteChannel channel(byte[] bytes) {
    return Channels.newChannel(new ByteArrayInputStream(bytes));
  }

  /** The same rows for both; returns what attention gives. */
  private static float[] step(AttentionBackend backend, KvSequence sequence, int rows, int seed) {
    Random random = new Random(seed);
    float[] q = numbers(random, rows * 4 * 64);
    float[] k = numbers(random, rows * 2 * 64);
    float[] all = new float[2 * q.length];
    try (AttentionPlan plan = backend.plan(AttentionMetadata.single(sequence, rows))) {
      for (int layer = 0; layer < 2; layer++) {
        float[] out = new float[q.length];
        plan.run(
            layer,
            TensorView.of(q, rows, 4, 64),
            TensorView.of(k, rows, 2, 64),
            TensorView.of(k, rows, 2, 64),
            TensorView.of(out, rows, 4, 64));
        System.arraycopy(out, 0, all, layer * q.length, q.length);
      }
      plan.commit();
    }
    return all;
  }

  private static float[] numbers(Random random, int count) {
    float[] x = new float[count];
    for (int i = 0; i < count; i++) {
      x[i] = (float) random.nextGaussian();
    }
    return x;
  }

  @ParameterizedTest
  @MethodSource("codecs")
  void aRestoredSequenceIsTheSavedOneBitByBit(KvCodec codec) throws IOException {
    int scale = EngineTraits.pageScale(engine(), codec);
    try (Lockstep lockstep = open(codec);
        Lockstep elsewhere = open(codec)) {
      Lockstep.Pair pair = lockstep.open();
      for (int rows : new int[] {7, 33 * scale, 2, 75 * scale}) {
        lockstep.step(pair, rows);
        byte[] bytes = save(pair.sequence());
        Lockstep.Pair here = lockstep.restored(restore(lockstep.backend(), bytes), pair);
        Lockstep.Pair there = elsewhere.restored(restore(elsewhere.backend(), bytes), pair);
        StateCheck.verify(lockstep.backend(), here);
        StateCheck.verify(elsewhere.backend(), there);
        assertArrayEquals(bytes, save(here.sequence()));
        assertArrayEquals(bytes, save(there.sequence()));
        here.sequence().close();
        lockstep.step(pair, 1);
        there.sequence().close();
      }
      KvSequence restored = restore(elsewhere.backend(), save(pair.sequence()));
      for (int rows : new int[] {1, 40 * scale, 1, 3}) {
        assertArrayEquals(
            step(lockstep.backend(), pair.sequence(), rows, rows),
            step(elsewhere.backend(), restored, rows, rows));
      }
      pair.sequence().truncate(70 * scale);
      restored.truncate(70 * scale);
      assertArrayEquals(
          step(lockstep.backend(), pair.sequence(), 50 * scale, 5),
          step(elsewhere.backend(), restored, 50 * scale, 5));
      assertArrayEquals(save(pair.sequence()), save(restored));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 64, 70, 96})
  void truncatedSequencesToo(int length) throws IOException {
    try (Lockstep lockstep = open(KvCodec.INT2)) {
      Lockstep.Pair pair = lockstep.open();
      lockstep.step(pair, 60);
      lockstep.step(pair, 70);
      lockstep.truncate(pair, length);
      Lockstep.Pair copy =
          lockstep.restored(restore(lockstep.backend(), save(pair.sequence())), pair);
      StateCheck.verify(lockstep.backend(), copy);
      lockstep.step(copy, 45);
      lockstep.step(pair, 1);
    }
  }

  /** Pages are converted; codes, scales, masks and rows stay. */
  @ParameterizedTest
  @MethodSource("commonCodecs")
  void fromOneEngineToAnother(KvCodec codec) throws IOException {
    for (String other : OTHERS) {
      if (other.equals(engine())) {
        continue;
      }
      try (Lockstep lockstep = open(codec);
          Lockstep foreign = open(other, codec)) {
        for (int rows : new int[] {5, 80, 130}) {
          Lockstep.Pair there = foreign.open();
          foreign.step(there, rows);
          byte[] bytes = save(there.sequence());
          Lockstep.Pair here = lockstep.restored(restore(lockstep.backend(), bytes), there);
          StateCheck.verify(lockstep.backend(), here);
          lockstep.step(here, 1);
          lockstep.step(here, 40);
          Lockstep.Pair back =
              foreign.restored(restore(foreign.backend(), save(here.sequence())), here);
          StateCheck.verify(foreign.backend(), back);
          back.sequence().close();
          here.sequence().close();
          there.sequence().close();
        }
      }
    }
  }

  @Test
  void forksSaveWhatTheySeeAndShareNothingAfterwards() throws IOException {
    try (Lockstep lockstep = open(KvCodec.INT2)) {
      Lockstep.Pair parent = lockstep.open();
      lockstep.step(parent, 110);
      Lockstep.Pair child = lockstep.fork(parent);
      lockstep.step(child, 3);
      lockstep.step(parent, 40);
      byte[] bytes = save(child.sequence());
      int pages = lockstep.backend().stats().pages();
      Lockstep.Pair copy = lockstep.restored(restore(lockstep.backend(), bytes), child);
      int own = EngineAccess.state(copy.sequence()).pageCount();
      assertEquals(pages + own, lockstep.backend().stats().pages());
      for (int p = 0; p < own; p++) {
        assertNotEquals(
            EngineAccess.state(child.sequence()).page(p),
            EngineAccess.state(copy.sequence()).page(p));
      }
      child.sequence().close();
      parent.sequence().close();
      StateCheck.verify(lockstep.backend(), copy);
      lockstep.step(copy, 40);
    }
  }

  @Test
  void sequencesFollowEachOtherInOneChannel() throws IOException {
    try (Lockstep lockstep = open(KvCodec.INT4)) {
      Lockstep.Pair a = lockstep.open();
      Lockstep.Pair b = lockstep.open();
      lockstep.step(List.of(a, b), new int[] {90, 12}, true);
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      WritableByteChannel to = Channels.newChannel(bytes);
      a.sequence().save(to);
      b.sequence().save(to);
      a.sequence().close();
      b.sequence().close();
      assertEquals(0, lockstep.backend().stats().pages());
      ReadableByteChannel from = channel(bytes.toByteArray());
      Lockstep.Pair first = lockstep.restored(lockstep.backend().restore(from), a);
      Lockstep.Pair second = lockstep.restored(lockstep.backend().restore(from), b);
      assertEquals(-1, from.read(ByteBuffer.allocate(1)));
      StateCheck.verify(lockstep.backend(), first);
      StateCheck.verify(lockstep.backend(), second);
      lockstep.step(List.of(second, first), new int[] {40, 1}, true);
    }
  }

  private static InvalidArgumentException refused(Lockstep lockstep, byte[] bytes) {
    BackendStats before = lockstep.backend().stats();
    InvalidArgumentException e =
        assertThrows(InvalidArgumentException.class, () -> restore(lockstep.backend(), bytes));
    assertEquals(before, lockstep.backend().stats());
    return e;
  }

  @Test
  void damagedBytesAreRefusedAndNothingStays() throws IOException {
    try (Lockstep lockstep = open(KvCodec.INT2)) {
      Lockstep.Pair pair = lockstep.open();
      lockstep.step(pair, 110);
      byte[] good = save(pair.sequence());
      for (int at = 0; at < good.length; at += at < 100 ? 1 : 331) {
        String cut = refused(lockstep, Arrays.copyOf(good, at)).getMessage();
        assertTrue(cut.startsWith("saved sequence ends after " + at + " bytes in "), cut);
        byte[] flipped = good.clone();
        flipped[at] ^= 0x10;
        refused(lockstep, flipped);
      }
      StateCheck.verify(lockstep.backend(), pair);
      StateCheck.verify(
          lockstep.backend(), lockstep.restored(restore(lockstep.backend(), good), pair));
    }
  }

  @Test
  void whatDoesNotFitIsNamed() throws IOException {
    byte[] bytes;
    try (Lockstep lockstep = open(KvCodec.INT2)) {
      Lockstep.Pair pair = lockstep.open();
      lockstep.step(pair, 60);
      bytes = save(pair.sequence());
      byte[] other = bytes.clone();
      other[0] = 'X';
      String magic = "saved sequence begins with 58494e4b51534551, expected 53494e4b51534551";
      assertEquals(magic + " (SINKQSEQ)", refused(lockstep, other).getMessage());
      other = bytes.clone();
      other[8] = 2;
      assertEquals(
          "version=2 of a saved sequence, expected 1", refused(lockstep, other).getMessage());
      other = bytes.clone();
      other[20] ^= 1;
      String checksum = refused(lockstep, other).getMessage();
      assertTrue(
          checksum.startsWith("checksum=")
              && checksum.contains(" of the header of a saved sequence, expected "),
          checksum);
    }
    KvCacheSpec same = spec(KvCodec.INT2).build();
    refused(bytes, ModelShape.of(2, 4, 2, 128), same, "headDim=64", "expected 128");
    refused(bytes, ModelShape.of(3, 4, 2, 64), same, "numLayers=2", "expected 3");
    refused(bytes, ModelShape.of(2, 4, 1, 64), same, "numKvHeads=2", "expected 1");
    refused(bytes, SHAPE, spec(KvCodec.INT2).pageTokens(64).build(), "pageTokens=32", "64");
    refused(bytes, SHAPE, spec(KvCodec.INT2).windowTokens(9).build(), "windowTokens=10", "9");
    SinkPolicy more = new SinkPolicy(3, 3);
    refused(bytes, SHAPE, spec(KvCodec.INT2).sinks(more).build(), "poolTokens=2", "expected 3");
    refused(
        bytes,
        SHAPE,
        spec(KvCodec.INT2).codec(0, KvCodec.INT4).build(),
        "layer 0 of a saved sequence=INT2 without sinks",
        "expected INT4 without sinks");
    refused(
        bytes,
        SHAPE,
        spec(KvCodec.INT2).firstSinkLayer(0).build(),
        "layer 0 of a saved sequence=INT2 without sinks",
        "expected INT2 with sinks");
  }

  private void refused(
      byte[] bytes, ModelShape shape, KvCacheSpec spec, String name, String expected) {
    try (Lockstep other = new Lockstep(engine(), shape, spec, 1, Data.of(72, Data.Style.NORMAL))) {
      String message = refused(other, bytes).getMessage();
      assertTrue(message.startsWith(name) && message.contains(expected), message);
    }
  }

  @Test
  void exhaustionLeavesEverythingAsItWas() throws IOException {
    KvCacheSpec small = spec(KvCodec.INT2).capacityTokens(42).maxSequences(3).build();
    try (Lockstep lockstep = open(KvCodec.INT2);
        Lockstep tight =
            new Lockstep(engine(), SHAPE, small, 1, Data.of(73, Data.Style.OUTLIERS))) {
      Lockstep.Pair pair = lockstep.open();
      lockstep.step(pair, 110);
      byte[] bytes = save(pair.sequence());
      Lockstep.Pair busy = tight.open();
      tight.step(busy, 43);
      BackendStats before = tight.backend().stats();
      CapacityExhaustedException pages =
          assertThrows(CapacityExhaustedException.class, () -> restore(tight.backend(), bytes));
      assertEquals(CapacityExhaustedException.Resource.PAGES, pages.resource());
      assertEquals(3, pages.needed());
      assertEquals(2, pages.free());
      assertEquals(before, tight.backend().stats());
      busy.sequence().close();
      StateCheck.verify(tight.backend(), tight.restored(restore(tight.backend(), bytes), pair));
      tight.open();
      tight.open();
      CapacityExhaustedException slots =
          assertThrows(
              CapacityExhaustedException.class,
              () -> restore(tight.backend(), save(tight.backend().newSequence())));
      assertEquals(CapacityExhaustedException.Resource.SEQUENCES, slots.resource());
    }
  }

  /** A channel that looks around while a sequence is being saved. */
  private record Curious(Executable look) implements WritableByteChannel {
    @Override
    public int write(ByteBuffer bytes) throws IOException {
      try {
        look.execute();
      } catch (IOException | RuntimeException e) {
        throw e;
      } catch (Throwable e) {
        throw new AssertionError(e);
      }
      int count = Math.min(bytes.remaining(), 1000);
      bytes.position(bytes.position() + count);
      return count;
    }

    @Override
    public boolean isOpen() {
      return true;
    }

    @Override
    public void close() {}
  }

  @Test
  void aSequenceIsBusyWhileItIsSavedAndOthersAreNot() throws IOException {
    try (Lockstep lockstep = open(KvCodec.INT2)) {
      Lockstep.Pair pair = lockstep.open();
      Lockstep.Pair other = lockstep.open();
      lockstep.step(List.of(pair, other), new int[] {70, 5}, true);
      String busy = "sequence=part of an open plan (or twice in one), expected an idle one;";
      int[] looks = {0};
      pair.sequence()
          .save(
              new Curious(
                  () -> {
                    if (looks[0]++ % 10 == 0) {
                      KvSequence one = pair.sequence();
                      for (Executable call :
                          List.<Executable>of(
                              one::fork, one::close, () -> one.truncate(3), () -> save(one))) {
                        String message =
                            assertThrows(InvalidArgumentException.class, call).getMessage();
                        assertTrue(message.startsWith(busy), message);
                      }
                      assertThrows(InvalidArgumentException.class, lockstep::close);
                      lockstep.step(other, 1);
                    }
                  }));
      assertTrue(looks[0] > 10);
      IOException full = new IOException("disk full");
      assertEquals(
          full,
          assertThrows(
              IOException.class,
              () ->
                  pair.sequence()
                      .save(
                          new Curious(
                              () -> {
                                throw full;
                              }))));
      AttentionPlan plan = lockstep.backend().plan(AttentionMetadata.single(pair.sequence(), 1));
      String message =
          assertThrows(InvalidArgumentException.class, () -> save(pair.sequence())).getMessage();
      assertTrue(message.startsWith(busy), message);
      plan.close();
      lockstep.step(pair, 40);
    }
  }
}
