package org.sinkq.cache;

/**
 * The slot masks: one bit for every token of every page and tracked KV head, set where the token
 * lives in pool or spill instead. Written when a page is flushed, constant from then on, so forks
 * share them with the pages.
 */
public final class PageMasks {
  private final long[][] words;
  private final int pageTokens;
  private final int wordsPerPage;

  /** Clear masks for {@code pages} pages of {@code pageTokens} tokens. */
  public PageMasks(int trackedHeads, int pages, int pageTokens) {
    this.pageTokens = pageTokens;
    wordsPerPage = wordsPerPage(pageTokens);
    words = new long[trackedHeads][Math.multiplyExact(pages, wordsPerPage)];
  }

  /** Bytes of the masks of one page and KV head. */
  public static long byteSize(int pageTokens) {
    return (long) wordsPerPage(pageTokens) * Long.BYTES;
  }

  private static int wordsPerPage(int pageTokens) {
    return (pageTokens + Long.SIZE - 1) / Long.SIZE;
  }

  /** Clears the mask of a page that is about to be filled. */
  public void clear(int head, int page) {
    for (int w = 0; w < wordsPerPage; w++) {
      words[head][page * wordsPerPage + w] = 0;
    }
  }

  /** Marks a token of a page as living elsewhere. */
  public void set(int head, int page, int token) {
    words[head][page * wordsPerPage + token / Long.SIZE] |= 1L << token;
  }

  /**
   * Marks the tokens of new pages that a sink table holds; every other one is unmarked.
   *
   * @param first position of the first token of the first page
   */
  public void derive(int head, int first, int[] pages, SinkTable table) {
    for (int page : pages) {
      clear(head, page);
    }
    for (int s = 0; s < table.slots(); s++) {
      int token = table.position(head, s) - first;
      if (table.position(head, s) != SinkTable.FREE && token >= 0) {
        set(head, pages[token / pageTokens], token % pageTokens);
      }
    }
  }

  /** Mask bits of tokens {@code 64 * word} and up. */
  public long word(int head, int page, int word) {
    return words[head][page * wordsPerPage + word];
  }

  /** Whether a token of a page lives elsewhere. */
  public boolean get(int head, int page, int token) {
    return (word(head, page, token / Long.SIZE) >>> token & 1) != 0;
  }

  /** Whether any token of a page lives elsewhere. */
  public boolean any(int head, int page) {
    long all = 0;
    for (int w = 0; w < wordsPerPage; w++) {
      all |= word(head, page, w);
    }
    return all != 0;
  }
}
