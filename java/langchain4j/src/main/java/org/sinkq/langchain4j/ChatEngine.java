package org.sinkq.langchain4j;

import com.github.tjake.jlama.model.functions.Generator;
import com.github.tjake.jlama.safetensors.prompt.PromptContext;
import com.github.tjake.jlama.safetensors.prompt.PromptSupport;
import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.data.message.Content;
import dev.langchain4j.data.message.SystemMessage;
import dev.langchain4j.data.message.TextContent;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.exception.RateLimitException;
import dev.langchain4j.exception.UnsupportedFeatureException;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.request.ResponseFormatType;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.output.FinishReason;
import dev.langchain4j.model.output.TokenUsage;
import java.util.function.Consumer;
import org.sinkq.CapacityExhaustedException;
import org.sinkq.InvalidArgumentException;
import org.sinkq.jlama.SinkqModel;

/** One request: messages to prompt, prompt to text, text to response. */
record ChatEngine(SinkqModel model) {
  /**
   * Answers a request.
   *
   * @param listener gets every piece of text; what it throws ends the generation
   * @throws InvalidRequestException if the conversation does not fit
   * @throws RateLimitException if the cache is full; try again when other requests are done
   * @throws UnsupportedFeatureException if the request asks for what Jlama does not do
   */
  ChatResponse answer(ChatRequest request, Consumer<String> listener) {
    ChatRequestParameters parameters = request.parameters();
    refuseUnsupported(parameters);
    PromptContext prompt = prompt(request);
    int promptTokens = model.encodePrompt(prompt).length;
    // Jlama draws one token after the prompt before it looks at the length, and does not count it.
    long length = promptTokens + parameters.maxOutputTokens() - 1L;
    int limit = (int) Math.min(length, Math.max(promptTokens, model.getConfig().contextLength));
    try {
      Generator.Response response =
          model.generate(
              prompt,
              parameters.temperature().floatValue(),
              limit,
              (text, millis) -> listener.accept(text));
      return ChatResponse.builder()
          .aiMessage(AiMessage.from(response.responseText))
          .tokenUsage(new TokenUsage(promptTokens, response.generatedTokens + 1))
          .finishReason(finishReason(response.finishReason))
          .modelName(parameters.modelName())
          .build();
    } catch (InvalidArgumentException e) {
      throw new InvalidRequestException(e.getMessage(), e);
    } catch (CapacityExhaustedException e) {
      throw new RateLimitException(e.getMessage(), e);
    }
  }

  private static FinishReason finishReason(Generator.FinishReason reason) {
    return switch (reason) {
      case STOP_TOKEN -> FinishReason.STOP;
      case MAX_TOKENS -> FinishReason.LENGTH;
      case TOOL_CALL -> FinishReason.TOOL_EXECUTION;
      case ERROR -> FinishReason.OTHER;
    };
  }

  private PromptContext prompt(ChatRequest request) {
    PromptSupport support =
        model
            .promptSupport()
            .orElseThrow(
                () ->
                    new UnsupportedFeatureException(
                        "the model has no chat template, expected one in tokenizer_config.json"));
    PromptSupport.Builder prompt = support.builder().addGenerationPrompt(true);
    for (ChatMessage message : request.messages()) {
      switch (message) {
        case SystemMessage system -> prompt.addSystemMessage(system.text());
        case UserMessage user -> prompt.addUserMessage(text(user));
        case AiMessage ai when !ai.hasToolExecutionRequests() ->
            prompt.addAssistantMessage(ai.text());
        default ->
            throw new UnsupportedFeatureException(
                "a message of type " + message.type() + " that is not text");
      }
    }
    return prompt.build();
  }

  private static String text(UserMessage message) {
    StringBuilder text = new StringBuilder();
    for (Content content : message.contents()) {
      if (!(content instanceof TextContent part)) {
        throw new UnsupportedFeatureException(
            "content of type " + content.type() + ", expected text");
      }
      text.append(text.isEmpty() ? "" : "\n").append(part.text());
    }
    return text.toString();
  }

  private static void refuseUnsupported(ChatRequestParameters parameters) {
    refuse(parameters.topP() != null, "topP");
    refuse(parameters.topK() != null, "topK");
    refuse(parameters.frequencyPenalty() != null, "frequencyPenalty");
    refuse(parameters.presencePenalty() != null, "presencePenalty");
    refuse(!parameters.stopSequences().isEmpty(), "stopSequences");
    refuse(!parameters.toolSpecifications().isEmpty(), "toolSpecifications");
    refuse(
        parameters.responseFormat() != null
            && parameters.responseFormat().type() == ResponseFormatType.JSON,
        "responseFormat JSON");
  }

  private static void refuse(boolean asked, String name) {
    if (asked) {
      throw new UnsupportedFeatureException(name + " is not supported by Jlama's sampler");
    }
  }
}
