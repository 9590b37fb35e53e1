package org.sinkq.jlama;

import static org.sinkq.InvalidArgumentException.require;

import java.util.Arrays;
import java.util.UUID;
import java.util.concurrent.CancellationException;
import org.sinkq.AttentionPlan;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvSequence;

/**
 * What Jlama calls a session: one sequence of the cache and the tokens in it. Its methods are
 * called by the thread that generates, but for {@link #cancel}.
 */
final class Conversation {
  private final UUID session;
  private final KvSequence sequence;
  private final KvCacheSpec cache;
  private int[] tokens = new int[64];
  private int reused;
  private AttentionPlan plan;
  private RuntimeException failure;
  private volatile boolean cancelled;

  Conversation(UUID session, KvSequence sequence, KvCacheSpec cache) {
    this.session = session;
    this.sequence = sequence;
    this.cache = cache;
  }

  UUID session() {
    return session;
  }

  KvSequence sequence() {
    return sequence;
  }

  /** The step that is running, or null between steps. */
  AttentionPlan plan() {
    return plan;
  }

  void plan(AttentionPlan value) {
    plan = value;
  }

  /** Notes which tokens the next step appends. */
  void announce(int position, int... next) {
    int end = position + next.length;
    if (end > tokens.length) {
      tokens = Arrays.copyOf(tokens, Math.max(end, 2 * tokens.length));
    }
    System.arraycopy(next, 0, tokens, position, next.length);
  }

  /**
   * Keeps what the sequence has in common with a prompt, but for the prompt's last token, whose
   * logits are wanted. A kept page stays as it was quantized: one that the prompt leaves halfway is
   * dropped whole, as reopening it would round its tokens once more.
   */
  void keepPrefixOf(int[] prompt) {
    int kept = prefixOf(prompt);
    int page = cache.pageTokens();
    int flushed = Math.max(0, (sequence.length() - cache.windowTokens()) / page * page);
    if (kept < flushed) {
      kept = kept / page * page;
    }
    sequence.truncate(kept);
    reused = kept;
  }

  /** Tokens in common with a prompt, but for its last. */
  int prefixOf(int[] prompt) {
    int limit = Math.min(sequence.length(), prompt.length - 1);
    int common = Arrays.mismatch(tokens, 0, limit, prompt, 0, limit);
    return common < 0 ? limit : common;
  }

  /** Leading tokens of the prompt that need no work; the next call sees 0. */
  int takeReused() {
    int result = reused;
    reused = 0;
    return result;
  }

  /** Makes {@code position} the length: Jlama overwrites what it had there. */
  void rewind(int position) {
    require(!sequence.isClosed(), "session=%s is closed, expected an open one", session);
    int length = sequence.length();
    require(
        position >= 0 && position <= length,
        "position=%d, expected 0 to %d, the tokens of the session so far",
        position,
        length);
    if (position < length) {
      sequence.truncate(position);
    }
  }

  /** Lets the next step end with a {@link CancellationException}. */
  void cancel() {
    cancelled = true;
  }

  /** Lets the next step end with what a listener threw; Jlama would only log it. */
  void fail(RuntimeException thrown) {
    failure = thrown;
  }

  /** Throws if the conversation was cancelled or its listener failed. */
  void checkAlive() {
    if (failure != null) {
      throw failure;
    }
    if (cancelled || Thread.currentThread().isInterrupted()) {
      throw new CancellationException("session=" + session + " was cancelled");
    }
  }

  void close() {
    sequence.close();
  }
}
