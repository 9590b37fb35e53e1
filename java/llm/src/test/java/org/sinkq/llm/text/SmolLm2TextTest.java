package org.sinkq.llm.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.sinkq.llm.gguf.GgufFile;

/** The real vocabulary and template of the file in the system property {@code sinkq.model}. */
@Tag("model")
class SmolLm2TextTest {
  private static Tokenizer tokenizer;
  private static ChatTemplate template;

  @BeforeAll
  static void open() {
    try (GgufFile file = GgufFile.open(Path.of(System.getProperty("sinkq.model")))) {
      tokenizer = Tokenizer.of(file);
      template = ChatTemplate.of(file, tokenizer);
    }
  }

  @Test
  void agreesWithTheTokenizersLibrary() {
    List<Fixtures.Expected> rows =
        Fixtures.rows("smollm2-expected.txt").map(Fixtures::expected).toList();
    assertTrue(rows.size() > 80, "rows=" + rows.size());
    for (Fixtures.Expected expected : rows) {
      assertArrayEquals(expected.ids(), expected.encode(tokenizer), expected::toString);
    }
  }

  @Test
  void agreesWithJinja() {
    List<List<String>> rows = Fixtures.rows("smollm2-template-expected.txt").toList();
    assertEquals(16, rows.size());
    rows.forEach(row -> ChatTemplateTest.assertAgrees(row, template));
  }

  @Test
  void endsAtTheEndOfATurnOrText() {
    assertEquals(49152, tokenizer.vocabularySize());
    assertEquals(Set.of(0, 2), tokenizer.endOfGeneration());
    assertEquals("<|im_end|>", tokenizer.piece(2));
  }

  @Test
  void aLongTextTakesWellUnderASecond() {
    String paragraph =
        "The keeper climbed 217 steps every evening, lit the lamp, and wrote down the weather. ";
    String text = paragraph.repeat(450);
    tokenizer.encode(text, false);
    long start = System.nanoTime();
    int[] ids = tokenizer.encode(text, false);
    double seconds = (System.nanoTime() - start) * 1e-9;
    assertTrue(ids.length > 8000, "ids=" + ids.length);
    assertTrue(seconds < 0.5, ids.length + " tokens took " + seconds + " s");
  }
}
