package org.sinkq.llm.text;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/**
 * Turns ids into text as they come, holding back the bytes of a character until it is complete.
 * Bytes that are no UTF-8 become U+FFFD. Control tokens give no text. Not thread-safe.
 */
public final class StreamDecoder {
  private static final int MAX_INCOMPLETE = 3;

  private final Tokenizer tokenizer;
  private final CharsetDecoder utf8 =
      StandardCharsets.UTF_8
          .newDecoder()
          .onMalformedInput(CodingErrorAction.REPLACE)
          .onUnmappableCharacter(CodingErrorAction.REPLACE);
  private ByteBuffer pending = ByteBuffer.allocate(0);

  StreamDecoder(Tokenizer tokenizer) {
    this.tokenizer = tokenizer;
  }

  /**
   * Takes the next token.
   *
   * @return the characters that are complete now, often empty
   * @throws org.sinkq.InvalidArgumentException if the id is outside the vocabulary
   */
  public String accept(int id) {
    return decode(tokenizer.textBytes(id), false);
  }

  /** Ends the text: what is incomplete becomes U+FFFD. The decoder can be used again. */
  public String finish() {
    return decode(new byte[0], true);
  }

  private String decode(byte[] bytes, boolean end) {
    ByteBuffer in = ByteBuffer.allocate(pending.remaining() + bytes.length);
    in.put(pending).put(bytes).flip();
    CharBuffer out = CharBuffer.allocate(in.remaining() + MAX_INCOMPLETE);
    utf8.decode(in, out, end);
    pending = in;
    if (end) {
      utf8.flush(out);
      utf8.reset();
      pending = ByteBuffer.allocate(0);
    }
    return out.flip().toString();
  }
}
