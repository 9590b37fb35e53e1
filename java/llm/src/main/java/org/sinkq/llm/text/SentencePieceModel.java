package org.sinkq.llm.text;

import static org.sinkq.llm.InvalidModelException.require;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Comparator;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/**
 * SentencePiece BPE ("llama"): spaces are written as U+2581, the characters are merged into pieces
 * in the order of the scores, and a character that is no piece is spelled in byte tokens.
 *
 * <p>The file has no merge list: every split of a piece into two pieces is a merge.
 */
final class SentencePieceModel implements SubwordModel {
  private static final char SPACE = '\u2581';

  private final Vocabulary vocabulary;
  private final MergeTable merges;
  private final boolean spacePrefix;

  /** [256] the token of a byte. */
  private final int[] idOfByte = new int[256];

  SentencePieceModel(Vocabulary vocabulary) {
    this.vocabulary = vocabulary;
    spacePrefix = vocabulary.flag("add_space_prefix", true);
    for (int b = 0; b < 256; b++) {
      String text = String.format("<0x%02X>", b);
      idOfByte[b] = vocabulary.id(text);
      require(
          idOfByte[b] >= 0,
          vocabulary.file(),
          "tokenizer.ggml.tokens lacks '%s', expected a token for every byte",
          text);
    }
    merges = deriveMerges();
  }

  private MergeTable deriveMerges() {
    float[] scores = vocabulary.scores();
    Integer[] order =
        IntStream.range(0, vocabulary.size())
            .filter(vocabulary::isNormal)
            .boxed()
            .toArray(Integer[]::new);
    Arrays.sort(order, Comparator.comparing(id -> -scores[id]));
    MergeTable.Builder builder = new MergeTable.Builder();
    int rank = 0;
    for (int i = 0; i < order.length; i++) {
      // Equal scores are one rank, so that the leftmost of them goes first.
      rank = i > 0 && scores[order[i]] != scores[order[i - 1]] ? i : rank;
      String piece = vocabulary.text(order[i]);
      for (int at = 1; at < piece.length(); at++) {
        int left = piece(piece.substring(0, at));
        int right = left < 0 ? -1 : piece(piece.substring(at));
        if (right >= 0) {
          require(
              builder.add(left, right, order[i], rank),
              vocabulary.file(),
              "tokenizer.ggml.tokens gives more than %d merges",
              Vocabulary.MAX_SIZE);
        }
      }
    }
    return builder.build();
  }

  private int piece(String text) {
    int id = vocabulary.id(text);
    return id >= 0 && vocabulary.isNormal(id) ? id : -1;
  }

  @Override
  public void encode(String text, boolean atStart, IntConsumer out) {
    String escaped = (atStart && spacePrefix ? " " + text : text).replace(' ', SPACE);
    int[] run = new int[escaped.length()];
    int count = 0;
    for (int i = 0; i < escaped.length(); ) {
      int end = escaped.offsetByCodePoints(i, 1);
      String character = escaped.substring(i, end);
      i = end;
      int id = piece(character);
      if (id >= 0) {
        run[count++] = id;
        continue;
      }
      merges.merge(run, count, out);
      count = 0;
      for (byte b : character.getBytes(StandardCharsets.UTF_8)) {
        out.accept(idOfByte[Byte.toUnsignedInt(b)]);
      }
    }
    merges.merge(run, count, out);
  }

  @Override
  public byte[] bytes(int id) {
    for (int b = 0; b < 256; b++) {
      if (idOfByte[b] == id) {
        return new byte[] {(byte) b};
      }
    }
    return vocabulary.text(id).replace(SPACE, ' ').getBytes(StandardCharsets.UTF_8);
  }

  @Override
  public boolean addsSpacePrefix() {
    return spacePrefix;
  }

  @Override
  public boolean addsBosByDefault() {
    return true;
  }
}
