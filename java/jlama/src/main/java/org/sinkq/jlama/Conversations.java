package org.sinkq.jlama;

import static org.sinkq.InvalidArgumentException.require;

import com.github.tjake.jlama.tensor.KvBufferCache.KvBuffer;
import java.lang.ref.Cleaner;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.UUID;
import java.util.WeakHashMap;
import java.util.function.Supplier;
import org.sinkq.AttentionBackend;
import org.sinkq.CapacityExhaustedException;

/**
 * Which sequence belongs to which of Jlama's sessions and buffers. Thread-safe.
 *
 * <pre>
 *   busy   UUID ──► Conversation    a generation is running
 *   idle   UUID ──► Conversation    kept for the next prompt of its session; the oldest first to go
 *   bound  KvBuffer ──► Conversation, weakly: a buffer that is forgotten gives its sequence back
 * </pre>
 */
final class Conversations {
  private static final Cleaner CLEANER = Cleaner.create();

  private final AttentionBackend backend;
  private final int maxIdle;
  private final Map<UUID, Conversation> busy = new HashMap<>();
  private final Map<UUID, Conversation> idle = new LinkedHashMap<>();
  // KvBuffer has identity semantics.
  private final Map<KvBuffer, Conversation> bound =
      Collections.synchronizedMap(new WeakHashMap<>());
  private boolean closed;

  Conversations(AttentionBackend backend, int maxIdle) {
    this.backend = backend;
    this.maxIdle = maxIdle;
  }

  synchronized void requireOpen() {
    require(!closed, "model=closed, expected an open one");
  }

  /**
   * Begins a generation, with what an idle session of this name still has.
   *
   * @throws org.sinkq.InvalidArgumentException if a generation of this session is running
   * @throws CapacityExhaustedException if no sequence slot is free
   */
  synchronized Conversation begin(UUID session) {
    requireOpen();
    require(
        !busy.containsKey(session),
        "session=%s is generating, expected one that is idle; wait for it or cancel it",
        session);
    Conversation conversation = idle.remove(session);
    if (conversation == null) {
      conversation = open(session);
    }
    busy.put(session, conversation);
    return conversation;
  }

  /**
   * Begins a generation in the idle session that has most in common with a prompt; in a new one if
   * the prompt would drop more than half of that session, which is another conversation then.
   *
   * @throws CapacityExhaustedException if no sequence slot is free
   */
  synchronized Conversation begin(int[] prompt) {
    requireOpen();
    UUID best = UUID.randomUUID();
    int most = 0;
    for (Conversation candidate : idle.values()) {
      int common = candidate.prefixOf(prompt);
      if (common > most && 2 * common >= candidate.sequence().length()) {
        most = common;
        best = candidate.session();
      }
    }
    return begin(best);
  }

  /** Ends a generation; its sequence is kept only if it succeeded and idle sessions are wanted. */
  synchronized void end(Conversation conversation, boolean succeeded) {
    busy.remove(conversation.session());
    if (!succeeded || maxIdle == 0 || closed) {
      conversation.close();
      return;
    }
    idle.put(conversation.session(), conversation);
    if (idle.size() > maxIdle) {
      evict();
    }
  }

  /** Makes a buffer of Jlama's the handle of a session that is generating. */
  synchronized KvBuffer bind(UUID session, KvBuffer buffer) {
    Conversation conversation = busy.get(session);
    require(conversation != null, "session=%s is not generating", session);
    bound.put(buffer, conversation);
    return buffer;
  }

  /**
   * The conversation behind a buffer. One that Jlama's caller made by itself gets its own, for as
   * long as it is reachable.
   */
  synchronized Conversation of(KvBuffer buffer) {
    Conversation known = bound.get(buffer);
    if (known != null) {
      return known;
    }
    requireOpen();
    Conversation made = open(UUID.randomUUID());
    bound.put(buffer, made);
    CLEANER.register(buffer, made::close);
    return made;
  }

  /**
   * Gives back the sequence of a buffer, if it has one; later calls with the buffer are refused.
   */
  synchronized void release(KvBuffer buffer) {
    Conversation conversation = bound.get(buffer);
    if (conversation != null) {
      conversation.close();
    }
  }

  /** Gives back the sequence of an idle session, if there is one. */
  synchronized void release(UUID session) {
    Conversation conversation = idle.remove(session);
    if (conversation != null) {
      conversation.close();
    }
  }

  /** Asks a running generation to end; false if there is none. */
  synchronized boolean cancel(UUID session) {
    Conversation conversation = busy.get(session);
    if (conversation == null) {
      return false;
    }
    conversation.cancel();
    return true;
  }

  /** Runs an allocation; while the cache is full, idle sessions make room. */
  <T> T withRoom(Supplier<T> allocation) {
    while (true) {
      try {
        return allocation.get();
      } catch (CapacityExhaustedException e) {
        synchronized (this) {
          if (!evict()) {
            throw e;
          }
        }
      }
    }
  }

  private Conversation open(UUID session) {
    return new Conversation(session, withRoom(backend::newSequence), backend.config().cache());
  }

  /** Closes the session that has been idle longest. */
  private boolean evict() {
    var oldest = idle.values().iterator();
    if (!oldest.hasNext()) {
      return false;
    }
    Conversation conversation = oldest.next();
    oldest.remove();
    conversation.close();
    return true;
  }

  /** Refuses new conversations; idle ones are closed. Fails while one is generating. */
  synchronized void close() {
    require(
        busy.isEmpty(),
        "%d session(s) are generating, expected none; cancel them and wait",
        busy.size());
    closed = true;
    idle.values().forEach(Conversation::close);
    idle.clear();
  }
}
