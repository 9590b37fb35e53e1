package org.sinkq.jlama;

import com.github.tjake.jlama.model.AbstractModel;
import com.github.tjake.jlama.tensor.KvBufferCache;
import java.util.UUID;

/**
 * Jlama's cache, reduced to handing out buffers that stand for conversations. A buffer allocates
 * pages when it is asked for a key or a value, which {@link SinkqAttention} never does.
 */
final class HandleCache extends KvBufferCache {
  /** The last ephemeral buffer of a thread, until it is given back. */
  private static final ThreadLocal<KvBuffer> EPHEMERAL = new ThreadLocal<>();

  private final Conversations conversations;

  HandleCache(AbstractModel model, Conversations conversations) {
    super(model);
    this.conversations = conversations;
  }

  @Override
  public KvBuffer getKvBuffer(UUID session) {
    return conversations.bind(session, super.getEphemeralKvBuffer());
  }

  @Override
  public KvBuffer getEphemeralKvBuffer() {
    KvBuffer buffer = super.getEphemeralKvBuffer();
    EPHEMERAL.set(buffer);
    return buffer;
  }

  /** Gives back the sequence of this thread's last ephemeral buffer: Jlama's close cannot. */
  void releaseEphemeral() {
    KvBuffer buffer = EPHEMERAL.get();
    EPHEMERAL.remove();
    if (buffer != null) {
      conversations.release(buffer);
    }
  }
}
