package org.sinkq.contract;

import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.sinkq.AttentionBackend;
import org.sinkq.EngineAccess;
import org.sinkq.cache.PageMasks;
import org.sinkq.cache.SequenceState;
import org.sinkq.cache.SinkTable;
import org.sinkq.engine.Engine;
import org.sinkq.engine.PageImage;
import org.sinkq.layout.CacheGeometry;
import org.sinkq.reference.ReferenceHead;
import org.sinkq.reference.ReferenceSequence;
import org.sinkq.reference.Token;

/**
 * Compares every number that a sequence consists of with the oracle: codes, scales, minima, masks,
 * pool, spill, frozen flags, dense rows. Zeros compare equal whatever their sign.
 */
final class StateCheck {
  /** Half a unit for each of 8,192 probabilities. */
  private static final int MASS_ROUNDING = 4096;

  private final Engine engine;
  private final CacheGeometry geometry;
  private final PageMasks masks;
  private final SequenceState state;
  private final double massTolerance;

  private StateCheck(AttentionBackend backend, Lockstep.Pair pair) {
    engine = EngineAccess.engine(backend);
    geometry = EngineAccess.geometry(backend);
    masks = EngineAccess.masks(backend);
    state = EngineAccess.state(pair.sequence());
    massTolerance = EngineTraits.tolerance(backend.config().engine());
  }

  static void verify(AttentionBackend backend, Lockstep.Pair pair) {
    StateCheck check = new StateCheck(backend, pair);
    ReferenceSequence expected = pair.reference();
    same("length", expected.length(), pair.sequence().length());
    for (int l = 0; l < check.geometry.shape().numLayers(); l++) {
      for (int h = 0; h < check.geometry.shape().numKvHeads(); h++) {
        String where = "layer " + l + ", head " + h + " of " + expected.length() + " tokens: ";
        check.head(where, l, h, expected.head(l, h), pair);
      }
    }
  }

  private void head(String where, int layer, int head, ReferenceHead expected, Lockstep.Pair pair) {
    same(where + "pages", expected.pages().size(), state.pageCount());
    for (int p = 0; p < state.pageCount(); p++) {
      page(where + "page " + p + ": ", layer, head, state.page(p), expected.pages().get(p));
    }
    for (Token token : expected.window()) {
      String name = where + "window row " + token.position();
      row(name, token, engine.readWindowRow(layer, head, state, token.position()));
    }
    int tracked = geometry.trackedHead(layer, head);
    if (tracked >= 0) {
      scores(where, layer, head, expected);
      sinks(where, layer, head, tracked, expected);
    }
    int[] positions =
        Stream.concat(expected.pool().stream(), expected.spill().stream())
            .mapToInt(Token::position)
            .sorted()
            .toArray();
    int[] reported = pair.sequence().sinkPositions(layer, head);
    if (!Arrays.equals(positions, reported)) {
      throw new AssertionError(
          where + Arrays.toString(reported) + ", expected sinks " + Arrays.toString(positions));
    }
  }

  private void page(String where, int layer, int head, int page, ReferenceHead.Page expected) {
    PageImage want = expected.image();
    PageImage have = engine.readPage(layer, head, page);
    int tracked = geometry.trackedHead(layer, head);
    same(where + "key scales", want.keyScale(), have.keyScale());
    same(where + "key minima", want.keyMin(), have.keyMin());
    same(where + "value means", want.valueMean(), have.valueMean());
    for (int t = 0; t < geometry.pageTokens(); t++) {
      String token = where + "token " + t + ": ";
      boolean masked = expected.masked()[t];
      same(token + "mask", masked, tracked >= 0 && masks.get(tracked, page, t));
      if (want.keyCodes().length > 0) {
        same(token + "key codes", want.keyCodes()[t], have.keyCodes()[t]);
        same(token + "value codes", want.valueCodes()[t], have.valueCodes()[t]);
      }
      if (!masked) {
        if (want.valueScale().length > 0) {
          same(token + "value scales", want.valueScale()[t], have.valueScale()[t]);
          same(token + "value minima", want.valueMin()[t], have.valueMin()[t]);
        }
        same(token + "key", want.keys()[t], have.keys()[t]);
        same(token + "value", want.values()[t], have.values()[t]);
      }
    }
  }

  /** Key norms bit by bit; masses as closely as attention itself. */
  private void scores(String where, int layer, int head, ReferenceHead expected) {
    for (Token token : expected.window()) {
      long want = expected.score(token);
      long have = engine.readScore(layer, head, state, token.position());
      double allowed = 0;
      if (geometry.tracksMass(layer)) {
        allowed = massTolerance * (SinkTable.NO_MASS - want) + MASS_ROUNDING;
      }
      if (!(Math.abs(have - want) <= allowed)) {
        throw new AssertionError(
            "%sscore of position %d is %d, expected %d within %s"
                .formatted(where, token.position(), have, want, allowed));
      }
    }
  }

  private void sinks(String where, int layer, int head, int tracked, ReferenceHead expected) {
    SinkTable table = state.sinks();
    same(where + "frozen", expected.isFrozen(), table.isFrozen(tracked));
    same(where + "pool size", expected.pool().size(), table.poolSize(tracked));
    same(where + "spill size", expected.spill().size(), table.spillSize(tracked));
    Map<Integer, Token> pool = new TreeMap<>();
    expected.pool().forEach(token -> pool.put(token.position(), token));
    Map<Integer, Token> all = new TreeMap<>(pool);
    expected.spill().forEach(token -> all.put(token.position(), token));
    for (int s = 0; s < table.slots(); s++) {
      int position = table.position(tracked, s);
      if (position != SinkTable.FREE) {
        Token token = all.get(position);
        String name = where + "sink " + position;
        same(name + " kept", token != null, true);
        same(name + " in pool", pool.containsKey(position), table.inPool(tracked, s));
        row(name, token, engine.readSinkRow(layer, head, state, s));
      }
    }
  }

  private void row(String name, Token expected, float[] actual) {
    int dim = geometry.shape().headDim();
    same(name + ": key", expected.key(), Arrays.copyOf(actual, dim));
    same(name + ": value", expected.value(), Arrays.copyOfRange(actual, dim, 2 * dim));
  }

  private static void same(String name, int expected, int actual) {
    if (expected != actual) {
      throw new AssertionError(name + " is " + actual + ", expected " + expected);
    }
  }

  private static void same(String name, float[] expected, float[] actual) {
    same(name + " length", expected.length, actual.length);
    for (int i = 0; i < expected.length; i++) {
      if (expected[i] != actual[i]) {
        throw new AssertionError(
            name + "[" + i + "] is " + actual[i] + ", expected " + expected[i]);
      }
    }
  }

  private static void same(String name, byte[] expected, byte[] actual) {
    if (!Arrays.equals(expected, actual)) {
      throw new AssertionError(
          name + " are " + Arrays.toString(actual) + ", expected " + Arrays.toString(expected));
    }
  }

  private static void same(String name, boolean expected, boolean actual) {
    if (expected != actual) {
      throw new AssertionError(name + " is " + actual + ", expected " + expected);
    }
  }
}
