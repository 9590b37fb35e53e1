package org.sinkq.llm.text;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StreamDecoderTest {
  @TempDir Path folder;
  private Tokenizer tokenizer;
  private StreamDecoder stream;

  @BeforeEach
  void open() {
    tokenizer = Fixtures.open(Fixtures.byteLevel(), folder);
    stream = tokenizer.stream();
  }

  /** The ids of single bytes: the vocabulary has no merge inside this character. */
  private int[] rocket() {
    int[] ids = tokenizer.encode("\uD83D\uDE80", false);
    assertEquals(4, ids.length);
    return ids;
  }

  @Test
  void holdsACharacterBackUntilItIsComplete() {
    int[] ids = rocket();
    assertEquals("", stream.accept(ids[0]));
    assertEquals("", stream.accept(ids[1]));
    assertEquals("", stream.accept(ids[2]));
    assertEquals("\uD83D\uDE80", stream.accept(ids[3]));
    assertEquals("", stream.finish());
  }

  @Test
  void whatIsIncompleteAtTheEndIsReplaced() {
    int[] ids = rocket();
    assertEquals("", stream.accept(ids[0]));
    assertEquals("", stream.accept(ids[1]));
    assertEquals("\uFFFD", stream.finish());
    assertEquals("", stream.finish());
  }

  @Test
  void aBrokenCharacterDoesNotSpoilTheNext() {
    int[] ids = rocket();
    int x = tokenizer.encode("x", false)[0];
    assertEquals("", stream.accept(ids[0]));
    assertEquals("\uFFFDx", stream.accept(x));
    assertEquals("\uFFFD", stream.accept(ids[3]));
    assertEquals("x", stream.accept(x));
  }

  @Test
  void controlTokensGiveNoText() {
    assertEquals("", stream.accept(tokenizer.bos().getAsInt()));
    assertEquals("<think>", stream.accept(tokenizer.encode("<think>", false)[0]));
  }

  @Test
  void thePartsAreTheWhole() {
    for (long seed = 0; seed < 300; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      int[] ids = random.ints(20, 0, tokenizer.vocabularySize()).toArray();
      StringBuilder parts = new StringBuilder();
      for (int id : ids) {
        parts.append(stream.accept(id));
      }
      assertEquals(tokenizer.decode(ids), parts + stream.finish(), "seed=" + seed);
    }
  }
}
