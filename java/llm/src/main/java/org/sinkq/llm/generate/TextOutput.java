package org.sinkq.llm.generate;

import java.util.stream.IntStream;
import org.sinkq.llm.text.StreamDecoder;

/** Collects generated tokens and passes their text on as it becomes complete. */
final class TextOutput {
  private final StreamDecoder decoder;
  private final GenerationListener listener;
  private final IntStream.Builder tokens = IntStream.builder();
  private final StringBuilder text = new StringBuilder();
  private int count;

  TextOutput(StreamDecoder decoder, GenerationListener listener) {
    this.decoder = decoder;
    this.listener = listener;
  }

  void accept(int token) {
    tokens.add(token);
    count++;
    pass(decoder.accept(token));
  }

  /** Passes on what is incomplete; no token may follow. */
  void finish() {
    pass(decoder.finish());
  }

  private void pass(String part) {
    if (!part.isEmpty()) {
      text.append(part);
      listener.onText(part);
    }
  }

  int count() {
    return count;
  }

  /** The tokens; once, at the end. */
  int[] tokens() {
    return tokens.build().toArray();
  }

  String text() {
    return text.toString();
  }
}
