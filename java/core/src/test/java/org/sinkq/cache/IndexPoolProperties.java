package org.sinkq.cache;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

/** Reference counts against a map. */
class IndexPoolProperties {
  @Property(tries = 200)
  void countsMatchAMap(
      @ForAll @IntRange(min = 1, max = 20) int capacity,
      @ForAll List<@IntRange(min = 0, max = 299) Integer> operations) {
    IndexPool pool = new IndexPool(capacity);
    Map<Integer, Integer> held = new HashMap<>();
    for (int op : operations) {
      List<Integer> indices = new ArrayList<>(held.keySet());
      if (op % 3 == 0) {
        if (pool.free() > 0) {
          int index = pool.acquire();
          assertTrue(index >= 0 && index < capacity && !held.containsKey(index));
          held.put(index, 1);
        }
      } else if (!indices.isEmpty()) {
        int index = indices.get(op / 3 % indices.size());
        if (op % 3 == 1) {
          pool.retain(index);
          held.merge(index, 1, Integer::sum);
        } else {
          pool.release(index);
          held.computeIfPresent(index, (i, n) -> n == 1 ? null : n - 1);
        }
      }
      assertEquals(held.size(), pool.used());
      assertEquals(capacity - held.size(), pool.free());
      held.forEach((index, n) -> assertEquals(n, pool.references(index)));
    }
  }
}
