package org.sinkq.llm.text;

import static org.sinkq.InvalidArgumentException.require;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.IntStream;
import org.sinkq.llm.InvalidModelException;
import org.sinkq.llm.gguf.GgufFile;

/**
 * Text to token ids and back, with the vocabulary of a GGUF file. Thread-safe; the file may be
 * closed after reading.
 *
 * <p>Unpaired surrogates in a text count as U+FFFD. With byte-level BPE whose vocabulary has every
 * byte, decoding gives back any other text exactly.
 */
public final class Tokenizer {
  private final Vocabulary vocabulary;
  private final SubwordModel model;
  private final SpecialTokens specials;
  private final OptionalInt bos;
  private final OptionalInt eos;
  private final boolean addBos;
  private final boolean addEos;

  private Tokenizer(Vocabulary vocabulary, SubwordModel model) {
    this.vocabulary = vocabulary;
    this.model = model;
    specials = new SpecialTokens(vocabulary);
    bos = vocabulary.role("bos");
    eos = vocabulary.role("eos");
    addBos = vocabulary.flag("add_bos_token", model.addsBosByDefault());
    addEos = vocabulary.flag("add_eos_token", false);
  }

  /**
   * Reads the tokenizer of a file.
   *
   * @throws InvalidModelException if the vocabulary is damaged or of an unknown kind
   */
  public static Tokenizer of(GgufFile file) {
    Vocabulary vocabulary = new Vocabulary(file);
    SubwordModel model =
        switch (vocabulary.model()) {
          case "gpt2" -> new ByteLevelModel(vocabulary);
          case "llama" -> new SentencePieceModel(vocabulary);
          default ->
              throw new InvalidModelException(
                  file.path(),
                  "tokenizer.ggml.model=" + vocabulary.model() + ", expected gpt2 or llama");
        };
    return new Tokenizer(vocabulary, model);
  }

  /**
   * The ids of a text taken literally: what looks like a control token is ordinary text.
   *
   * @param addSpecial whether to add the beginning and end tokens that the file asks for
   */
  public int[] encode(String text, boolean addSpecial) {
    return encode(text, addSpecial, false);
  }

  /**
   * The ids of a text in which control tokens are written out, as {@link ChatTemplate} renders it.
   * Control tokens count wherever they stand, in the content of a message too.
   *
   * @param addSpecial whether to add the beginning and end tokens that the file asks for; false for
   *     a rendered template, which has its own
   */
  public int[] encodeMarkup(String text, boolean addSpecial) {
    return encode(text, addSpecial, true);
  }

  private int[] encode(String text, boolean addSpecial, boolean markup) {
    IntStream.Builder ids = IntStream.builder();
    if (addSpecial && addBos) {
      bos.ifPresent(ids);
    }
    boolean[] atStart = {true};
    specials.split(
        wellFormed(text),
        markup,
        plain -> {
          model.encode(plain, atStart[0], ids);
          atStart[0] = false;
        },
        special -> {
          ids.add(special);
          atStart[0] = vocabulary.isControl(special);
        });
    if (addSpecial && addEos) {
      eos.ifPresent(ids);
    }
    return ids.build().toArray();
  }

  private static String wellFormed(String text) {
    int[] codePoints =
        text.codePoints()
            .map(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE ? 0xFFFD : c)
            .toArray();
    return new String(codePoints, 0, codePoints.length);
  }

  /**
   * The text of ids. Control tokens give no text; bytes that are no UTF-8 become U+FFFD.
   *
   * @throws org.sinkq.InvalidArgumentException if an id is outside the vocabulary
   */
  public String decode(int[] ids) {
    StreamDecoder decoder = stream();
    StringBuilder text = new StringBuilder();
    for (int id : ids) {
      text.append(decoder.accept(id));
    }
    text.append(decoder.finish());
    boolean prefixed = model.addsSpacePrefix() && !text.isEmpty() && text.charAt(0) == ' ';
    return text.substring(prefixed ? 1 : 0);
  }

  /**
   * A decoder for text that continues other text: unlike {@link #decode} it keeps a first space.
   */
  public StreamDecoder stream() {
    return new StreamDecoder(this);
  }

  /** What a token adds to a text; nothing for control tokens. */
  byte[] textBytes(int id) {
    checkId(id);
    return vocabulary.isControl(id) ? new byte[0] : model.bytes(id);
  }

  /**
   * A token for display: control tokens as they are written, incomplete characters in the form
   * {@code <0xE2>}.
   *
   * @throws org.sinkq.InvalidArgumentException if the id is outside the vocabulary
   */
  public String piece(int id) {
    checkId(id);
    if (vocabulary.isControl(id)) {
      return vocabulary.text(id);
    }
    byte[] bytes = model.bytes(id);
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException e) {
      StringBuilder hex = new StringBuilder();
      for (byte b : bytes) {
        hex.append(String.format("<0x%02X>", b));
      }
      return hex.toString();
    }
  }

  private void checkId(int id) {
    require(
        id >= 0 && id < vocabulary.size(), "id=%d, expected 0 to %d", id, vocabulary.size() - 1);
  }

  /** The token that begins a text, if the file names one. */
  public OptionalInt bos() {
    return bos;
  }

  /** The token that ends a text, if the file names one. */
  public OptionalInt eos() {
    return eos;
  }

  /** Every token that ends a generation: end of text, of turn or of message. */
  public Set<Integer> endOfGeneration() {
    return vocabulary.endOfGeneration();
  }

  /** Whether a token ends a generation. */
  public boolean isEndOfGeneration(int id) {
    return vocabulary.endOfGeneration().contains(id);
  }

  /** Ids are 0 to this, exclusive. */
  public int vocabularySize() {
    return vocabulary.size();
  }
}
