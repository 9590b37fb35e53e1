package org.sinkq.llm.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.sinkq.llm.InvalidModelException;
import org.sinkq.llm.gguf.GgufWriter;

class SentencePieceTokenizerTest {
  @TempDir Path folder;
  private Tokenizer tokenizer;

  @BeforeEach
  void open() {
    tokenizer = Fixtures.open(Fixtures.sentencePiece(), folder);
  }

  @Test
  void agreesWithTheSentencePieceLibrary() {
    List<Fixtures.Expected> rows =
        Fixtures.rows("sentencepiece-expected.txt").map(Fixtures::expected).toList();
    assertTrue(rows.size() > 100, "rows=" + rows.size());
    for (Fixtures.Expected expected : rows) {
      assertArrayEquals(expected.ids(), expected.encode(tokenizer), expected::toString);
    }
  }

  @Test
  void decodingGivesBackTheText() {
    for (long seed = 0; seed < 1000; seed++) {
      String text = Fixtures.randomText(new SplittableRandom(seed));
      assertEquals(text, tokenizer.decode(tokenizer.encode(text, true)), "seed=" + seed);
    }
  }

  @Test
  void theSpacePrefixCanBeSwitchedOff() {
    Tokenizer without =
        Fixtures.open(
            Fixtures.sentencePiece().bool("tokenizer.ggml.add_space_prefix", false), folder);
    assertArrayEquals(tokenizer.encode("the", false), without.encode(" the", false));
    assertEquals(" the", without.decode(without.encode(" the", false)));
    assertEquals("the", tokenizer.decode(tokenizer.encode("the", false)));
  }

  /** Text that goes on after a prompt begins with a space of its own. */
  @Test
  void aStreamKeepsTheFirstSpace() {
    StreamDecoder stream = tokenizer.stream();
    StringBuilder text = new StringBuilder();
    for (int id : tokenizer.encode("the lamp", false)) {
      text.append(stream.accept(id));
    }
    assertEquals(" the lamp", text + stream.finish());
  }

  @Test
  void beginsWithBosUnlessTheFileSaysOtherwise() {
    assertEquals(tokenizer.bos().getAsInt(), tokenizer.encode("x", true)[0]);
    Tokenizer without =
        Fixtures.open(Fixtures.sentencePiece().bool("tokenizer.ggml.add_bos_token", false), folder);
    assertArrayEquals(without.encode("x", false), without.encode("x", true));
  }

  @Test
  void bytesAreShownAsHexadecimalUnlessTheyAreText() {
    int[] ids = tokenizer.encode("\u00fe", false);
    assertEquals("<0xC3>", tokenizer.piece(ids[ids.length - 2]));
    assertEquals("<s>", tokenizer.piece(tokenizer.bos().getAsInt()));
  }

  @Test
  void longRunsTakeNoQuadraticTime() {
    for (String unit : List.of("x", " ", "abc", "-", "\u00fe")) {
      String text = unit.repeat(100_000 / unit.length());
      long start = System.nanoTime();
      int[] ids = tokenizer.encode(text, false);
      double seconds = (System.nanoTime() - start) * 1e-9;
      assertEquals(text, tokenizer.decode(ids), unit);
      // Quadratic time would be minutes.
      assertTrue(seconds < 5, unit + " took " + seconds + " s");
    }
  }

  @Test
  void refusesAVocabularyThatCannotSpellEveryByte() {
    GgufWriter writer =
        new GgufWriter()
            .string("tokenizer.ggml.model", "llama")
            .strings("tokenizer.ggml.tokens", List.of("a", "b"))
            .float32s("tokenizer.ggml.scores", 0, 0);
    assertEquals(
        folder.resolve("tokenizer.gguf")
            + ": tokenizer.ggml.tokens lacks '<0x00>', expected a token for every byte",
        assertThrows(InvalidModelException.class, () -> Fixtures.open(writer, folder))
            .getMessage());
  }
}
