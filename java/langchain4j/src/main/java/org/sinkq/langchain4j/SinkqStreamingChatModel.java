package org.sinkq.langchain4j;

import dev.langchain4j.model.chat.StreamingChatModel;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.PartialResponse;
import dev.langchain4j.model.chat.response.PartialResponseContext;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.chat.response.StreamingHandle;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.Executor;
import org.sinkq.BackendStats;
import org.sinkq.jlama.SinkqModel;

/**
 * A streaming chat model in this process: Jlama with its conversations in a 2-bit cache.
 * Thread-safe; each request runs on a thread of its own unless an executor is given. After a
 * handle's {@code cancel} there are no further calls of the handler.
 */
public final class SinkqStreamingChatModel implements StreamingChatModel, AutoCloseable {
  private final SinkqModel model;
  private final boolean ownsModel;
  private final ChatRequestParameters parameters;
  private final List<ChatModelListener> listeners;
  private final Executor executor;

  private SinkqStreamingChatModel(Builder builder) {
    parameters = builder.parameters();
    listeners = builder.listeners();
    executor = builder.executor;
    ownsModel = builder.ownsModel();
    model = builder.open();
  }

  /** A builder; only a model has to be given. */
  public static Builder builder() {
    return new Builder();
  }

  /** Settings of a {@link SinkqStreamingChatModel}. */
  public static final class Builder extends ModelSettings<Builder> {
    private Executor executor = task -> Thread.ofPlatform().name("sinkq-chat").daemon().start(task);

    private Builder() {}

    @Override
    Builder self() {
      return this;
    }

    /** Where requests run; by default each has a daemon thread. */
    public Builder executor(Executor value) {
      executor = value;
      return this;
    }

    /**
     * Opens the model.
     *
     * @throws org.sinkq.InvalidArgumentException if a setting or the model is not supported
     */
    public SinkqStreamingChatModel build() {
      return new SinkqStreamingChatModel(this);
    }
  }

  /** Whether the caller has had enough. */
  private static final class Handle implements StreamingHandle {
    private volatile boolean cancelled;

    @Override
    public void cancel() {
      cancelled = true;
    }

    @Override
    public boolean isCancelled() {
      return cancelled;
    }
  }

  @Override
  public void doChat(ChatRequest request, StreamingChatResponseHandler handler) {
    executor.execute(() -> run(request, handler));
  }

  private void run(ChatRequest request, StreamingChatResponseHandler handler) {
    Handle handle = new Handle();
    ChatResponse response;
    try {
      response = new ChatEngine(model).answer(request, text -> pass(text, handle, handler));
    } catch (RuntimeException e) {
      if (!handle.isCancelled()) {
        handler.onError(e);
      }
      return;
    }
    if (!handle.isCancelled()) {
      handler.onCompleteResponse(response);
    }
  }

  private static void pass(String text, Handle handle, StreamingChatResponseHandler handler) {
    if (!handle.isCancelled() && !text.isEmpty()) {
      handler.onPartialResponse(new PartialResponse(text), new PartialResponseContext(handle));
    }
    if (handle.isCancelled()) {
      throw new CancellationException("the request was cancelled");
    }
  }

  @Override
  public ChatRequestParameters defaultRequestParameters() {
    return parameters;
  }

  @Override
  public List<ChatModelListener> listeners() {
    return listeners;
  }

  /** Use of the cache. */
  public BackendStats stats() {
    return model.stats();
  }

  /** Closes the model, unless it was given open. */
  @Override
  public void close() {
    if (ownsModel) {
      model.close();
    }
  }
}
