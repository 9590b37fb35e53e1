package org.sinkq.llm.text;

import static org.sinkq.llm.InvalidModelException.require;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;

/**
 * Byte-level BPE ("gpt2"): text is cut into words, each word's UTF-8 bytes are merged. Tokens are
 * stored with every byte as one printable character: the printable bytes of Latin-1 as themselves,
 * the others from U+0100 on, in order.
 *
 * <p>A byte that the vocabulary lacks is dropped, as the reference implementations do. Text is not
 * normalized: the files do not say which models were trained on NFC.
 */
final class ByteLevelModel implements SubwordModel {
  private static final char[] CHAR_OF_BYTE = new char[256];

  /** [U+0000 to U+0143] the byte that a character stands for, or -1. */
  private static final int[] BYTE_OF_CHAR = new int[256 + 68];

  static {
    Arrays.fill(BYTE_OF_CHAR, -1);
    char next = 256;
    for (int b = 0; b < 256; b++) {
      boolean printable = (b > ' ' && b < 0x7F) || (b > 0xA0 && b != 0xAD);
      CHAR_OF_BYTE[b] = printable ? (char) b : next++;
      BYTE_OF_CHAR[CHAR_OF_BYTE[b]] = b;
    }
  }

  private final Vocabulary vocabulary;
  private final PreTokenizer preTokenizer;
  private final MergeTable merges;

  /** [256] the token of a single byte, or -1. */
  private final int[] idOfByte = new int[256];

  ByteLevelModel(Vocabulary vocabulary) {
    this.vocabulary = vocabulary;
    preTokenizer = PreTokenizer.named(vocabulary.preTokenizer(), vocabulary.file());
    for (int b = 0; b < 256; b++) {
      idOfByte[b] = vocabulary.id(String.valueOf(CHAR_OF_BYTE[b]));
    }
    merges = readMerges();
  }

  private MergeTable readMerges() {
    List<String> lines = vocabulary.merges();
    MergeTable.Builder builder = new MergeTable.Builder();
    for (int rank = 0; rank < lines.size(); rank++) {
      String line = lines.get(rank);
      int space = line.indexOf(' ', 1);
      int left = space < 0 ? -1 : vocabulary.id(line.substring(0, space));
      int right = space < 0 ? -1 : vocabulary.id(line.substring(space + 1));
      int result = left < 0 || right < 0 ? -1 : vocabulary.id(line.replace(" ", ""));
      require(
          result >= 0 && builder.add(left, right, result, rank),
          vocabulary.file(),
          "tokenizer.ggml.merges[%d]='%s', expected two tokens whose concatenation is a token",
          rank,
          line);
    }
    return builder.build();
  }

  @Override
  public void encode(String text, boolean atStart, IntConsumer out) {
    preTokenizer.split(text, word -> encodeWord(word, out));
  }

  private void encodeWord(String word, IntConsumer out) {
    byte[] utf8 = word.getBytes(StandardCharsets.UTF_8);
    if (preTokenizer.takesWholeWords()) {
      int whole = vocabulary.id(printable(utf8));
      if (whole >= 0 && vocabulary.isNormal(whole)) {
        out.accept(whole);
        return;
      }
    }
    int[] ids = new int[utf8.length];
    int count = 0;
    for (byte b : utf8) {
      int id = idOfByte[Byte.toUnsignedInt(b)];
      if (id >= 0) {
        ids[count++] = id;
      }
    }
    merges.merge(ids, count, out);
  }

  private static String printable(byte[] bytes) {
    char[] chars = new char[bytes.length];
    for (int i = 0; i < bytes.length; i++) {
      chars[i] = CHAR_OF_BYTE[Byte.toUnsignedInt(bytes[i])];
    }
    return new String(chars);
  }

  @Override
  public byte[] bytes(int id) {
    String text = vocabulary.text(id);
    if (!vocabulary.isNormal(id)) {
      return text.getBytes(StandardCharsets.UTF_8);
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream(text.length());
    text.codePoints()
        .forEach(
            c -> {
              int b = c < BYTE_OF_CHAR.length ? BYTE_OF_CHAR[c] : -1;
              if (b >= 0) {
                bytes.write(b);
              } else {
                bytes.writeBytes(Character.toString(c).getBytes(StandardCharsets.UTF_8));
              }
            });
    return bytes.toByteArray();
  }

  @Override
  public boolean addsSpacePrefix() {
    return false;
  }

  @Override
  public boolean addsBosByDefault() {
    return preTokenizer == PreTokenizer.LLAMA3;
  }
}
