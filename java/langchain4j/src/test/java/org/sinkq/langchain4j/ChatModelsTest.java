package org.sinkq.langchain4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.github.tjake.jlama.tensor.KvBufferCache;
import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.data.message.ImageContent;
import dev.langchain4j.data.message.SystemMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.exception.RateLimitException;
import dev.langchain4j.exception.UnsupportedFeatureException;
import dev.langchain4j.memory.chat.MessageWindowChatMemory;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.listener.ChatModelRequestContext;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.PartialResponse;
import dev.langchain4j.model.chat.response.PartialResponseContext;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.output.FinishReason;
import dev.langchain4j.service.AiServices;
import dev.langchain4j.service.MemoryId;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.sinkq.InvalidArgumentException;
import org.sinkq.KvCacheSpec;
import org.sinkq.jlama.SinkqModel;
import org.sinkq.jlama.SinkqModelSupport;
import org.sinkq.jlama.TinyFolder;

/** The two chat models in LangChain4j's own hands, on a small model. */
class ChatModelsTest {
  @TempDir Path temp;

  private SinkqModel model;

  /** Keeps what was asked. */
  private static final class Recorder implements ChatModelListener {
    final List<List<ChatMessage>> requests = new ArrayList<>();

    @Override
    public void onRequest(ChatModelRequestContext context) {
      requests.add(context.chatRequest().messages());
    }
  }

  interface Assistant {
    String chat(@MemoryId int id, @dev.langchain4j.service.UserMessage String message);
  }

  @BeforeEach
  void open() throws IOException {
    Path folder = TinyFolder.write(temp.resolve("tiny"), "llama", 2, 5);
    KvCacheSpec cache = KvCacheSpec.builder().maxSequences(3).capacityTokens(600).build();
    model = SinkqModelSupport.builder(folder.toFile()).cache(cache).idleSessions(2).load();
  }

  @AfterEach
  void close() {
    model.close();
  }

  private SinkqChatModel.Builder chat() {
    return SinkqChatModel.builder().model(model).temperature(0.0).maxTokens(12);
  }

  @Test
  void aChatHasUsageAndAReasonToEnd() {
    try (SinkqChatModel chat = chat().build()) {
      ChatResponse response = chat.chat(SystemMessage.from("be brief"), UserMessage.from("hello"));
      // "<bos>system: be brief\nuser: hello\nassistant:" is one token for each byte.
      assertEquals(40, response.tokenUsage().inputTokenCount());
      assertEquals(FinishReason.LENGTH, response.finishReason());
      assertEquals(12, response.tokenUsage().outputTokenCount());
      assertFalse(response.aiMessage().text().isEmpty());
      assertEquals(
          response.aiMessage(),
          chat.chat(SystemMessage.from("be brief"), UserMessage.from("hello")).aiMessage());
    }
    assertTrue(model.stats().maxPages() > 0, "a model that was given stays open");
  }

  @Test
  void aiServicesRememberEachConversation() {
    Recorder recorder = new Recorder();
    Assistant assistant =
        AiServices.builder(Assistant.class)
            .chatModel(chat().listeners(List.of(recorder)).build())
            .chatMemoryProvider(id -> MessageWindowChatMemory.withMaxMessages(10))
            .build();
    String first = assistant.chat(1, "one");
    assistant.chat(2, "two");
    String second = assistant.chat(1, "and more");
    assertEquals(
        List.of(UserMessage.from("one"), AiMessage.from(first), UserMessage.from("and more")),
        recorder.requests.get(2));
    assertFalse(second.isEmpty());
    // The two conversations are kept; the third request went on with the first.
    assertEquals(2, model.stats().sequences());
  }

  /** What a handler saw. */
  private static final class Collected implements StreamingChatResponseHandler {
    final StringBuilder text = new StringBuilder();
    final CompletableFuture<ChatResponse> end = new CompletableFuture<>();
    int cancelAfter = Integer.MAX_VALUE;
    int pieces;

    @Override
    public void onPartialResponse(PartialResponse partial, PartialResponseContext context) {
      text.append(partial.text());
      if (++pieces == cancelAfter) {
        context.streamingHandle().cancel();
      }
    }

    @Override
    public void onCompleteResponse(ChatResponse response) {
      end.complete(response);
    }

    @Override
    public void onError(Throwable error) {
      end.completeExceptionally(error);
    }
  }

  @Test
  void aStreamIsTheChatInPieces() throws Exception {
    String whole = chat().build().chat("hello");
    try (SinkqStreamingChatModel streaming =
        SinkqStreamingChatModel.builder().model(model).temperature(0.0).maxTokens(12).build()) {
      Collected collected = new Collected();
      streaming.chat("hello", collected);
      ChatResponse response = collected.end.get(60, TimeUnit.SECONDS);
      assertEquals(whole, response.aiMessage().text());
      assertEquals(whole, collected.text.toString());
      assertTrue(collected.pieces > 3, collected.pieces + " pieces");
    }
  }

  @Test
  void aCancelledStreamIsSilent() {
    SinkqStreamingChatModel streaming =
        SinkqStreamingChatModel.builder()
            .model(model)
            .temperature(0.0)
            .maxTokens(200)
            .executor(Runnable::run)
            .build();
    Collected collected = new Collected();
    collected.cancelAfter = 2;
    streaming.chat("hello", collected);
    assertEquals(2, collected.pieces);
    assertFalse(collected.end.isDone());
    assertEquals(0, model.stats().sequences());
  }

  @Test
  void errorsReachTheHandler() {
    SinkqStreamingChatModel streaming =
        SinkqStreamingChatModel.builder().model(model).executor(Runnable::run).build();
    Collected collected = new Collected();
    streaming.chat("x".repeat(700), collected);
    Throwable error =
        assertThrows(Exception.class, () -> collected.end.get(1, TimeUnit.SECONDS)).getCause();
    assertInstanceOf(InvalidRequestException.class, error);
    assertTrue(error.getMessage().contains("expected at most 600, the model's context"));
  }

  @Test
  void whatDoesNotFit() {
    SinkqChatModel chat = chat().build();
    assertThrows(InvalidRequestException.class, () -> chat.chat("x".repeat(700)));
    assertEquals(0, model.stats().sequences());
  }

  @Test
  void aFullCacheIsARateLimit() {
    List<KvBufferCache.KvBuffer> held = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      KvBufferCache.KvBuffer buffer = new KvBufferCache(model).getEphemeralKvBuffer();
      model.batchForward(new int[] {1}, 0, buffer).close();
      held.add(buffer);
    }
    RateLimitException e = assertThrows(RateLimitException.class, () -> chat().build().chat("hi"));
    assertTrue(e.getMessage().startsWith("sequences exhausted: needed=1, free=0"), e.getMessage());
    held.forEach(model::release);
    assertEquals(0, model.stats().sequences());
  }

  @Test
  void whatJlamaCannotDo() {
    SinkqChatModel chat = chat().build();
    ChatRequest.Builder request = ChatRequest.builder().messages(UserMessage.from("hi"));
    assertEquals(
        "topP is not supported by Jlama's sampler",
        assertThrows(UnsupportedFeatureException.class, () -> chat.chat(request.topP(0.5).build()))
            .getMessage());
    assertEquals(
        "content of type IMAGE, expected text",
        assertThrows(
                UnsupportedFeatureException.class,
                () -> chat.chat(UserMessage.from(ImageContent.from("http://localhost/a.png"))))
            .getMessage());
  }

  @Test
  void settings() {
    assertEquals(
        "modelPath=null, model=null, expected exactly one of them",
        assertThrows(InvalidArgumentException.class, () -> SinkqChatModel.builder().build())
            .getMessage());
    assertEquals(
        "maxTokens=0, expected 1 or more",
        assertThrows(InvalidArgumentException.class, () -> chat().maxTokens(0).build())
            .getMessage());
    Path missing = temp.resolve("missing");
    assertEquals(
        "model=" + missing + ", expected a folder that exists",
        assertThrows(
                InvalidArgumentException.class,
                () -> SinkqChatModel.builder().modelPath(missing).build())
            .getMessage());
  }
}
