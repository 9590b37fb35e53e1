package org.sinkq.langchain4j;

import dev.langchain4j.memory.chat.MessageWindowChatMemory;
import dev.langchain4j.service.AiServices;
import dev.langchain4j.service.MemoryId;
import dev.langchain4j.service.SystemMessage;
import dev.langchain4j.service.UserMessage;
import java.nio.file.Path;

/** An assistant with memory, all of it in this process. */
public final class ChatExample {
  interface Assistant {
    @SystemMessage("Answer in one sentence.")
    String chat(@MemoryId String user, @UserMessage String message);
  }

  private ChatExample() {}

  /** Takes the folder that {@code sinkq models convert} made, and questions. */
  public static void main(String[] args) {
    try (SinkqChatModel model =
        SinkqChatModel.builder()
            .modelPath(Path.of(args[0]))
            .temperature(0.0)
            .maxTokens(60)
            .build()) {
      Assistant assistant =
          AiServices.builder(Assistant.class)
              .chatModel(model)
              .chatMemoryProvider(user -> MessageWindowChatMemory.withMaxMessages(20))
              .build();
      for (int i = 1; i < args.length; i++) {
        System.out.println(assistant.chat("me", args[i]));
      }
      System.out.println(model.stats());
    }
  }
}
