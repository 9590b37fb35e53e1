package org.sinkq.reference;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.sinkq.LayerSpec;
import org.sinkq.SinkPolicy;
import org.sinkq.cache.SinkTable;
import org.sinkq.engine.PageImage;
import org.sinkq.layout.CacheGeometry;

/**
 * Pages, pool, spill and window of one KV head of one layer of one sequence: the method as it is
 * written down, on lists of tokens.
 */
public final class ReferenceHead {
  /**
   * A quantized group.
   *
   * @param image its codes
   * @param masked tokens that live in pool or spill
   */
  public record Page(PageImage image, boolean[] masked) {}

  private final CacheGeometry geometry;
  private final int layer;
  private final LayerSpec spec;
  private final List<Page> pages = new ArrayList<>();
  private final List<Token> pool = new ArrayList<>();
  private final List<Token> spill = new ArrayList<>();
  private final List<Token> window = new ArrayList<>();

  /** Attention mass by position, in units. */
  private final Map<Integer, Long> masses = new HashMap<>();

  /** Smaller score first, then older position. */
  private final Comparator<Token> poolOrder =
      Comparator.comparingLong(this::score).thenComparingInt(Token::position);

  private int frozenAt = -1;

  /** What a query attends to; null after a change. */
  private List<Attended> attended;

  ReferenceHead(CacheGeometry geometry, int layer) {
    this.geometry = geometry;
    this.layer = layer;
    spec = geometry.layer(layer);
  }

  ReferenceHead copy() {
    ReferenceHead copy = new ReferenceHead(geometry, layer);
    copy.pages.addAll(pages);
    copy.pool.addAll(pool);
    copy.spill.addAll(spill);
    copy.window.addAll(window);
    copy.masses.putAll(masses);
    copy.frozenAt = frozenAt;
    return copy;
  }

  /** Flushed groups, oldest first. */
  public List<Page> pages() {
    return pages;
  }

  /** Tokens of the pool, in no particular order. */
  public List<Token> pool() {
    return pool;
  }

  /** Tokens that left the pool. */
  public List<Token> spill() {
    return spill;
  }

  /** Recent tokens, oldest first. */
  public List<Token> window() {
    return window;
  }

  /** Whether nothing enters or leaves the pool any more. */
  public boolean isFrozen() {
    return frozenAt >= 0;
  }

  private boolean tracksMass() {
    return spec.sinks().selection() == SinkPolicy.Selection.MOST_ATTENDED;
  }

  /** What the pool goes by, the smallest first. */
  public long score(Token token) {
    return tracksMass()
        ? SinkTable.NO_MASS - masses.getOrDefault(token.position(), 0L)
        : (long) (token.score() * SinkTable.MASS_UNITS);
  }

  private int flushed() {
    return pages.size() * geometry.pageTokens();
  }

  void append(float[] key, float[] value) {
    attended = null;
    window.add(Token.stored(spec.codec(), flushed() + window.size(), key, value));
  }

  /**
   * Attention of a query over everything up to its own position; adds to the masses, so where these
   * count every query has to come here once.
   */
  Attention attend(float[] query, int position) {
    if (attended == null) {
      attended = collect();
    }
    return Softmax.attend(
        geometry.shape(),
        layer,
        attended,
        query,
        position,
        tracksMass() ? this::addMass : Softmax.Listener.NONE);
  }

  private void addMass(int position, double probability) {
    if (position >= flushed()) {
      masses.merge(position, (long) Math.rint(probability * SinkTable.MASS_UNITS), Long::sum);
    }
  }

  private List<Attended> collect() {
    List<Attended> all = new ArrayList<>();
    for (int p = 0; p < pages.size(); p++) {
      all.addAll(unmasked(pages.get(p), p * geometry.pageTokens()));
    }
    for (List<Token> dense : List.of(pool, spill, window)) {
      dense.forEach(token -> all.add(token.attended()));
    }
    requireExactlyOnce(all, flushed() + window.size());
    return all;
  }

  static void requireExactlyOnce(List<Attended> all, int tokens) {
    int[] positions = all.stream().mapToInt(Attended::position).sorted().toArray();
    if (positions.length != tokens) {
      throw new AssertionError(tokens + " tokens, but attended are " + positions.length);
    }
    for (int i = 0; i < tokens; i++) {
      if (positions[i] != i) {
        throw new AssertionError("position " + i + " of " + tokens + " is not attended once");
      }
    }
  }

  private static List<Attended> unmasked(Page page, int firstPosition) {
    List<Attended> tokens = new ArrayList<>();
    for (int t = 0; t < page.masked.length; t++) {
      if (!page.masked[t]) {
        tokens.add(
            new Token(firstPosition + t, page.image.keys()[t], page.image.values()[t]).attended());
      }
    }
    return tokens;
  }

  /** Turns all full groups of the window into pages at once. */
  void flush() {
    attended = null;
    int size = geometry.pageTokens();
    int groups = 0;
    while (window.size() - groups * size >= geometry.windowTokens() + size) {
      groups++;
    }
    if (groups == 0) {
      return;
    }
    List<Token> flushed = new ArrayList<>(window.subList(0, groups * size));
    window.subList(0, groups * size).clear();
    if (spec.sinks().poolTokens() > 0 && !isFrozen()) {
      select(flushed);
    }
    for (int g = 0; g < groups; g++) {
      List<Token> group = flushed.subList(g * size, (g + 1) * size);
      boolean[] masked = new boolean[size];
      for (int t = 0; t < size; t++) {
        masked[t] = pool.contains(group.get(t));
      }
      pages.add(
          new Page(Quantization.page(spec.codec(), geometry.valueGroup(), group, masked), masked));
    }
  }

  private void select(List<Token> flushed) {
    List<Token> candidates = new ArrayList<>(pool);
    candidates.addAll(flushed);
    candidates.sort(
        spec.sinks().selection() == SinkPolicy.Selection.FIRST_TOKENS
            ? Comparator.comparingInt(Token::position)
            : poolOrder);
    List<Token> best = candidates.subList(0, spec.sinks().poolTokens());
    List<Token> leaving = new ArrayList<>(pool);
    leaving.removeAll(best);
    if (spill.size() + leaving.size() > spec.sinks().spillTokens()) {
      frozenAt = flushed.getFirst().position();
      return;
    }
    spill.addAll(leaving);
    pool.clear();
    pool.addAll(best);
  }

  void truncate(int length) {
    attended = null;
    if (length >= flushed()) {
      window.removeIf(token -> token.position() >= length);
      masses.keySet().removeIf(position -> position >= length);
      return;
    }
    int kept = length / geometry.pageTokens();
    int first = kept * geometry.pageTokens();
    window.clear();
    for (int t = 0; first + t < length; t++) {
      window.add(reopened(pages.get(kept), t, first + t));
      if (!pages.get(kept).masked[t]) {
        masses.remove(first + t);
      }
    }
    masses.keySet().removeIf(position -> position >= length);
    pages.subList(kept, pages.size()).clear();
    pool.removeIf(token -> token.position() >= first);
    spill.removeIf(token -> token.position() >= first);
    if (frozenAt >= first) {
      frozenAt = -1;
    }
    while (!isFrozen() && pool.size() < spec.sinks().poolTokens() && !spill.isEmpty()) {
      Token best = spill.stream().min(poolOrder).orElseThrow();
      spill.remove(best);
      pool.add(best);
    }
  }

  private Token reopened(Page page, int token, int position) {
    if (page.masked[token]) {
      List<Token> dense = new ArrayList<>(pool);
      dense.addAll(spill);
      return dense.stream().filter(t -> t.position() == position).findFirst().orElseThrow();
    }
    Attended row =
        new Token(position, page.image.keys()[token], page.image.values()[token]).attended();
    return Token.reopened(spec.codec(), position, row.key(), row.value());
  }
}
