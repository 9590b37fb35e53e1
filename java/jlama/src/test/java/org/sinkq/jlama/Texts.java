package org.sinkq.jlama;

import com.github.tjake.jlama.model.functions.Generator;
import com.github.tjake.jlama.safetensors.prompt.PromptContext;
import java.util.UUID;

/** Prompts and greedy answers. */
final class Texts {
  private Texts() {}

  /** The answer to a prompt in a session of its own. */
  static String answer(SinkqModel model, String prompt, int tokens) {
    return answer(model, UUID.randomUUID(), prompt, tokens);
  }

  /** The answer to a prompt, {@code tokens} long unless it ends before. */
  static String answer(SinkqModel model, UUID session, String prompt, int tokens) {
    return generate(model, session, prompt, tokens).responseText;
  }

  static Generator.Response generate(SinkqModel model, UUID session, String prompt, int tokens) {
    PromptContext context = PromptContext.of(prompt);
    int length = model.encodePrompt(context).length + tokens;
    return model.generate(session, context, 0, length);
  }
}
