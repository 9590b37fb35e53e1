package org.sinkq.cache;

import java.util.Arrays;

/**
 * Indices of one sequence: its pages in order, the slot of its dense rows, its sinks. Tokens 0 to
 * {@code pageCount * G - 1} are flushed, the rest up to {@code length} are in the window.
 */
public final class SequenceState {
  private final int slot;
  private final int pageTokens;
  private final SinkTable sinks;
  private int[] pages = new int[4];
  private int pageCount;
  private int length;

  /**
   * An empty sequence.
   *
   * @param slot index of its dense rows in every engine
   */
  public SequenceState(int slot, int pageTokens, SinkTable sinks) {
    this.slot = slot;
    this.pageTokens = pageTokens;
    this.sinks = sinks;
  }

  /** Index of the dense rows: window, pool and spill. */
  public int slot() {
    return slot;
  }

  /** Committed tokens. */
  public int length() {
    return length;
  }

  /** Full pages. */
  public int pageCount() {
    return pageCount;
  }

  /** Page id of the n-th page. */
  public int page(int index) {
    assert index < pageCount;
    return pages[index];
  }

  /** Tokens that live in pages, pool or spill: the position of the first window token. */
  public int flushedTokens() {
    return pageCount * pageTokens;
  }

  /** Tokens in the window. */
  public int windowLength() {
    return length - flushedTokens();
  }

  /** Pool and spill. */
  public SinkTable sinks() {
    return sinks;
  }

  /** Appends committed tokens and the pages that the step filled. */
  public void advance(int tokens, int[] newPages) {
    if (pageCount + newPages.length > pages.length) {
      pages = Arrays.copyOf(pages, Math.max(pages.length * 2, pageCount + newPages.length));
    }
    System.arraycopy(newPages, 0, pages, pageCount, newPages.length);
    pageCount += newPages.length;
    length += tokens;
  }

  /**
   * Shares the pages of another, equally empty-handed sequence and copies its indices; the caller
   * retains the pages.
   */
  public void copyFrom(SequenceState other) {
    pages = Arrays.copyOf(other.pages, other.pages.length);
    pageCount = other.pageCount;
    length = other.length;
    sinks.copyFrom(other.sinks);
  }

  /** Cuts the sequence; the caller has released the pages from {@code newPageCount} on. */
  public void truncate(int newLength, int newPageCount) {
    length = newLength;
    pageCount = newPageCount;
    sinks.truncate(newPageCount * pageTokens);
  }
}
