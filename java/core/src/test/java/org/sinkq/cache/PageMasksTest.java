package org.sinkq.cache;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Bits of single tokens. */
class PageMasksTest {
  @ParameterizedTest
  @ValueSource(ints = {32, 64, 128})
  void everyTokenHasItsOwnBit(int pageTokens) {
    PageMasks masks = new PageMasks(2, 3, pageTokens);
    for (int t = 0; t < pageTokens; t++) {
      masks.set(1, 1, t);
      for (int other = 0; other < pageTokens; other++) {
        assertEquals(other == t, masks.get(1, 1, other));
      }
      assertTrue(masks.any(1, 1));
      assertFalse(masks.any(1, 0) || masks.any(1, 2) || masks.any(0, 1));
      assertEquals(1L << t, masks.word(1, 1, t / 64));
      masks.clear(1, 1);
      assertFalse(masks.any(1, 1));
    }
  }

  @Test
  void byteSizeIsInWholeWords() {
    assertEquals(8, PageMasks.byteSize(32));
    assertEquals(8, PageMasks.byteSize(64));
    assertEquals(16, PageMasks.byteSize(128));
  }
}
