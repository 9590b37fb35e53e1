package org.sinkq.cache;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.sinkq.SinkPolicy;

/** Selections against sorting: the same pools, spill areas and freezes, in any order of calls. */
class SinkTableProperties {
  private static final int HEAD = 1;

  private record Token(int position, long score) {}

  /** The method as it is written down. */
  private static final class Model {
    final SinkPolicy policy;
    List<Token> pool = new ArrayList<>();
    List<Token> spill = new ArrayList<>();
    int frozenAt = -1;

    Model(SinkPolicy policy) {
      this.policy = policy;
    }

    Model copy() {
      Model copy = new Model(policy);
      copy.pool = new ArrayList<>(pool);
      copy.spill = new ArrayList<>(spill);
      copy.frozenAt = frozenAt;
      return copy;
    }

    void select(int base, long[] scores) {
      if (frozenAt >= 0) {
        return;
      }
      List<Token> all = new ArrayList<>(pool);
      for (int i = 0; i < scores.length; i++) {
        all.add(new Token(base + i, scores[i]));
      }
      all.sort(Comparator.comparingLong(Token::score).thenComparingInt(Token::position));
      List<Token> best = all.subList(0, policy.poolTokens());
      List<Token> leaving = pool.stream().filter(t -> !best.contains(t)).toList();
      if (spill.size() + leaving.size() > policy.spillTokens()) {
        frozenAt = base;
        return;
      }
      spill.addAll(leaving);
      pool = new ArrayList<>(best);
    }

    Map<Integer, Boolean> content() {
      Map<Integer, Boolean> content = new TreeMap<>();
      spill.forEach(t -> content.put(t.position, false));
      pool.forEach(t -> content.put(t.position, true));
      return content;
    }
  }

  private static Map<Integer, Boolean> content(SinkTable table) {
    Map<Integer, Boolean> content = new TreeMap<>();
    for (int s = 0; s < table.slots(); s++) {
      if (table.position(HEAD, s) != SinkTable.FREE) {
        content.put(table.position(HEAD, s), table.inPool(HEAD, s));
        assertEquals(s, table.slotOf(HEAD, table.position(HEAD, s)));
      }
    }
    return content;
  }

  private static void assertMatches(Model model, SinkTable table) {
    assertEquals(model.content(), content(table));
    assertEquals(model.frozenAt >= 0, table.isFrozen(HEAD));
    assertEquals(model.pool.size(), table.poolSize(HEAD));
    assertEquals(model.spill.size(), table.spillSize(HEAD));
    assertArrayEquals(
        model.content().keySet().stream().mapToInt(Integer::intValue).toArray(),
        table.positions(HEAD));
    assertEquals(0, table.poolSize(0) + table.poolSize(2));
  }

  /** Few distinct scores, so that ties are common. */
  @Property(tries = 500)
  void selectionsMatchSorting(
      @ForAll @IntRange(min = 1, max = 5) int pool,
      @ForAll @IntRange(min = 0, max = 7) int spill,
      @ForAll @IntRange(min = 1, max = 40) int distinctScores,
      @ForAll @Size(max = 12) List<@IntRange(min = 1, max = 999) Integer> flushes) {
    SinkPolicy policy = new SinkPolicy(pool, spill);
    SinkTable table = new SinkTable(policy, 3);
    Model model = new Model(policy);
    List<Model> history = new ArrayList<>();
    List<Integer> bases = new ArrayList<>();
    SinkPicks picks = new SinkPicks(policy);
    int base = 0;
    for (int flush : flushes) {
      int groups = 1 + flush % 2;
      long[] scores = new long[8 * groups];
      for (int i = 0; i < scores.length; i++) {
        scores[i] = Math.floorMod(((flush + i) * 2654435761L) >> 7, (long) distinctScores);
      }
      history.add(model.copy());
      bases.add(base);
      SinkJournal journal = new SinkJournal();
      table.select(HEAD, base, scores, scores.length, journal, picks);
      if (flush % 5 == 0) {
        // Undone, then done again.
        journal.rollback();
        assertMatches(model, table);
        table.select(HEAD, base, scores, scores.length, journal, picks);
      }
      model.select(base, scores);
      assertMatches(model, table);
      for (int p = 0; p < picks.count(); p++) {
        assertEquals(base + picks.token(p), table.position(HEAD, picks.slot(p)));
      }
      base += scores.length;
      // Cut at a flush boundary, a table is as it was then.
      int back = flush % 7 == 0 ? flush % bases.size() : bases.size();
      if (back < bases.size()) {
        base = bases.get(back);
        table.truncate(base);
        model = history.get(back).copy();
        history.subList(back, history.size()).clear();
        bases.subList(back, bases.size()).clear();
        assertMatches(model, table);
      }
    }
    SinkTable copy = new SinkTable(policy, 3);
    copy.copyFrom(table);
    table.clear();
    assertMatches(model, copy);
    assertEquals(0, Arrays.stream(new int[] {0, 1, 2}).map(table::poolSize).sum());
  }
}
