package org.sinkq.langchain4j;

import dev.langchain4j.model.chat.ChatModel;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.response.ChatResponse;
import java.util.List;
import org.sinkq.BackendStats;
import org.sinkq.jlama.SinkqModel;

/**
 * A chat model in this process: Jlama with its conversations in a 2-bit cache. Thread-safe.
 *
 * <pre>{@code
 * ChatModel model = SinkqChatModel.builder().modelPath(Path.of("smollm2")).maxTokens(200).build();
 * }</pre>
 */
public final class SinkqChatModel implements ChatModel, AutoCloseable {
  private final SinkqModel model;
  private final boolean ownsModel;
  private final ChatRequestParameters parameters;
  private final List<ChatModelListener> listeners;

  private SinkqChatModel(Builder builder) {
    parameters = builder.parameters();
    listeners = builder.listeners();
    ownsModel = builder.ownsModel();
    model = builder.open();
  }

  /** A builder; only a model has to be given. */
  public static Builder builder() {
    return new Builder();
  }

  /** Settings of a {@link SinkqChatModel}. */
  public static final class Builder extends ModelSettings<Builder> {
    private Builder() {}

    @Override
    Builder self() {
      return this;
    }

    /**
     * Opens the model.
     *
     * @throws org.sinkq.InvalidArgumentException if a setting or the model is not supported
     */
    public SinkqChatModel build() {
      return new SinkqChatModel(this);
    }
  }

  @Override
  public ChatResponse doChat(ChatRequest request) {
    return new ChatEngine(model).answer(request, text -> {});
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
