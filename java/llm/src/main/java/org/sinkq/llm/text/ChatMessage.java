package org.sinkq.llm.text;

import static org.sinkq.InvalidArgumentException.require;

/**
 * One message of a conversation.
 *
 * @param role who speaks, commonly {@code system}, {@code user} or {@code assistant}
 * @param content what is said
 */
public record ChatMessage(String role, String content) {
  /** Checks the role; what roles there are is up to the template. */
  public ChatMessage {
    require(role != null && !role.isBlank(), "role=%s, expected a name such as user", role);
    require(content != null, "content=null, expected a text");
  }

  /** Instructions that stand above the conversation. */
  public static ChatMessage system(String content) {
    return new ChatMessage("system", content);
  }

  /** What the user says. */
  public static ChatMessage user(String content) {
    return new ChatMessage("user", content);
  }

  /** What the model has said. */
  public static ChatMessage assistant(String content) {
    return new ChatMessage("assistant", content);
  }
}
