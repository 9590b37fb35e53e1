package org.sinkq.llm.text;

import static java.util.stream.Collectors.joining;
import static org.sinkq.InvalidArgumentException.require;

import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.JinjavaConfig;
import com.hubspot.jinjava.LegacyOverrides;
import com.hubspot.jinjava.interpret.InterpretException;
import com.hubspot.jinjava.interpret.RenderResult;
import com.hubspot.jinjava.interpret.TemplateError;
import java.time.Clock;
import java.time.ZoneId;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.sinkq.InvalidArgumentException;
import org.sinkq.llm.InvalidModelException;
import org.sinkq.llm.gguf.GgufFile;

/**
 * Turns a conversation into a prompt by the Jinja program in {@code tokenizer.chat_template}.
 *
 * <p>Follows the conventions that the templates are written for: {@code messages} (maps with {@code
 * role} and {@code content}), {@code add_generation_prompt}, {@code bos_token}, {@code eos_token},
 * {@code raise_exception(text)}, {@code strftime_now(format)}; the methods of Python strings;
 * {@code trim_blocks} and {@code lstrip_blocks}. There are no tools. A template reaches nothing
 * else, Java objects and files least of all, and what it cannot express is an error, never an empty
 * string. Thread-safe.
 */
public final class ChatTemplate {
  private static final long MAX_OUTPUT_LENGTH = 8 << 20;

  private final Jinjava jinjava;
  private final String source;
  private final Map<String, Object> constants = new HashMap<>();

  /** A template outside a file; absent tokens are null. */
  ChatTemplate(String source, String bosToken, String eosToken, Clock clock) {
    this.source = JinjaDialect.adapt(source);
    constants.put("bos_token", bosToken == null ? "" : bosToken);
    constants.put("eos_token", eosToken == null ? "" : eosToken);
    // Templates ask whether these are defined before they call them.
    constants.put("raise_exception", true);
    constants.put("strftime_now", true);
    jinjava = new Jinjava(config(clock));
    TemplateObjects.registerFunctions(jinjava.getGlobalContext());
  }

  private static JinjavaConfig config(Clock clock) {
    return JinjavaConfig.newBuilder()
        .withTrimBlocks(true)
        .withLstripBlocks(true)
        .withNestedInterpretationEnabled(false)
        .withReadOnlyResolver(true)
        .withElResolver(PythonStrings.resolver())
        .withDateTimeProvider(clock::millis)
        .withTimeZone(clock.getZone())
        .withMaxOutputSize(MAX_OUTPUT_LENGTH)
        .withMaxRenderDepth(16)
        .withLegacyOverrides(
            LegacyOverrides.newBuilder()
                .withUsePyishObjectMapper(true)
                .withUseNaturalOperatorPrecedence(true)
                .withParseWhitespaceControlStrictly(true)
                .withAllowAdjacentTextNodes(true)
                .withUseTrimmingForNotesAndExpressions(true)
                .withIterateOverMapKeys(true)
                .withKeepNullableLoopValues(true)
                .build())
        .build();
  }

  /**
   * The template of a file.
   *
   * @param tokenizer the tokenizer of the same file
   * @throws InvalidModelException if the file has none
   */
  public static ChatTemplate of(GgufFile file, Tokenizer tokenizer) {
    return new ChatTemplate(
        file.metadata().string("tokenizer.chat_template"),
        tokenizer.bos().isPresent() ? tokenizer.piece(tokenizer.bos().getAsInt()) : null,
        tokenizer.eos().isPresent() ? tokenizer.piece(tokenizer.eos().getAsInt()) : null,
        Clock.system(ZoneId.systemDefault()));
  }

  /**
   * The prompt of a conversation, to be encoded with {@link Tokenizer#encodeMarkup} and no further
   * special tokens.
   *
   * @param addGenerationPrompt whether to end with what introduces the model's answer
   * @throws InvalidArgumentException if the template refuses the conversation or fails; the message
   *     is one line
   */
  public String render(List<ChatMessage> messages, boolean addGenerationPrompt) {
    require(!messages.isEmpty(), "messages=[], expected at least one");
    Map<String, Object> variables = new HashMap<>(constants);
    variables.put("add_generation_prompt", addGenerationPrompt);
    variables.put("messages", messages.stream().map(ChatTemplate::variables).toList());
    Optional<String> unsupported = JinjaDialect.unsupported(source);
    if (unsupported.isPresent()) {
      throw failure(messages, "'" + oneLine(unsupported.get()) + "' is not supported");
    }
    try {
      RenderResult result = jinjava.renderForResult(source, variables);
      Optional<String> problem =
          result.getErrors().stream()
              .findFirst()
              .map(ChatTemplate::problem)
              .or(() -> TemplateObjects.unknownName(result.getContext()));
      if (problem.isPresent()) {
        throw failure(messages, problem.get());
      }
      return result.getOutput();
    } catch (InterpretException e) {
      throw failure(messages, oneLine(e.getMessage()));
    }
  }

  private static Map<String, Object> variables(ChatMessage message) {
    return Map.of("role", message.role(), "content", message.content());
  }

  private static InvalidArgumentException failure(List<ChatMessage> messages, String problem) {
    String roles = messages.stream().map(ChatMessage::role).collect(joining(", ", "[", "]"));
    return new InvalidArgumentException(
        "messages=" + roles + ", expected what the chat template accepts; it says: " + problem);
  }

  private static String problem(TemplateError error) {
    for (Throwable e = error.getException(); e != null; e = e.getCause()) {
      if (e instanceof TemplateObjects.TemplateException) {
        return oneLine(e.getMessage());
      }
    }
    return oneLine(error.getMessage()) + " (line " + error.getLineno() + ")";
  }

  private static String oneLine(String message) {
    return String.valueOf(message).strip().replaceAll("\\s*\\R\\s*", " ");
  }
}
