package org.sinkq.llm.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.sinkq.InvalidArgumentException;
import org.sinkq.llm.InvalidModelException;
import org.sinkq.llm.gguf.GgufWriter;

class ByteLevelTokenizerTest {
  @TempDir Path folder;

  private Tokenizer open(String preTokenizer) {
    return Fixtures.open(Fixtures.byteLevel().string("tokenizer.ggml.pre", preTokenizer), folder);
  }

  @ParameterizedTest
  @ValueSource(strings = {"default", "gpt-2", "smollm", "llama-bpe", "qwen2", "tekken"})
  void agreesWithTheTokenizersLibrary(String preTokenizer) {
    Tokenizer tokenizer = open(preTokenizer);
    List<Fixtures.Expected> rows =
        Fixtures.rows("byte-level-expected.txt")
            .filter(row -> row.get(0).equals(preTokenizer))
            .map(Fixtures::expected)
            .toList();
    assertTrue(rows.size() > 60, "rows=" + rows.size());
    for (Fixtures.Expected expected : rows) {
      assertArrayEquals(expected.ids(), expected.encode(tokenizer), expected::toString);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"default", "gpt-2", "smollm", "llama-bpe", "qwen2", "tekken"})
  void decodingGivesBackTheText(String preTokenizer) {
    Tokenizer tokenizer = open(preTokenizer);
    for (long seed = 0; seed < 300; seed++) {
      String text = Fixtures.randomText(new SplittableRandom(seed));
      assertEquals(text, tokenizer.decode(tokenizer.encode(text, false)), "seed=" + seed);
    }
  }

  @Test
  void otherNamesMeanTheSame() {
    String text = "Hello xyzzy, 12345 it'S";
    assertArrayEquals(open("llama-bpe").encode(text, false), open("llama3").encode(text, false));
    assertArrayEquals(
        open("qwen2").encode(text, false), open("deepseek-r1-qwen").encode(text, false));
    assertArrayEquals(
        open("default").encode(text, false),
        Fixtures.open(Fixtures.byteLevel(), folder).encode(text, false));
  }

  @Test
  void unpairedSurrogatesBecomeTheReplacementCharacter() {
    Tokenizer tokenizer = open("smollm");
    assertArrayEquals(
        tokenizer.encode("a\uFFFDb\uFFFD", false), tokenizer.encode("a\uD800b\uDC00", false));
    assertArrayEquals(tokenizer.encode("\uFFFD", false), tokenizer.encode("\uDBFF", false));
  }

  /** A vocabulary need not have every byte; what it lacks cannot be expressed. */
  @Test
  void missingBytesAreDropped() {
    GgufWriter writer =
        new GgufWriter()
            .string("tokenizer.ggml.model", "gpt2")
            .strings("tokenizer.ggml.tokens", List.of("a", "b", "ab"))
            .strings("tokenizer.ggml.merges", List.of("a b"));
    Tokenizer tokenizer = Fixtures.open(writer, folder);
    assertArrayEquals(new int[] {2, 2}, tokenizer.encode("abaxb", false));
    assertArrayEquals(new int[0], tokenizer.encode("?", false));
  }

  @ParameterizedTest
  @ValueSource(strings = {"default", "gpt-2", "smollm", "llama-bpe", "qwen2", "tekken"})
  void longRunsTakeNoQuadraticTime(String preTokenizer) {
    Tokenizer tokenizer = open(preTokenizer);
    for (String unit :
        List.of("x", "ab", " ", "\n", "1", "-", "\u706f", "A", "\u0301", "<", " \n")) {
      String text = unit.repeat(100_000 / unit.length()) + "z";
      long start = System.nanoTime();
      int[] ids = tokenizer.encodeMarkup(text, false);
      double seconds = (System.nanoTime() - start) * 1e-9;
      assertEquals(text, tokenizer.decode(ids), unit);
      // Quadratic time would be minutes.
      assertTrue(seconds < 5, unit + " took " + seconds + " s");
    }
  }

  @Test
  void beginningAndEndTokensAreAddedWhereTheFileAsksForThem() {
    int bos = 0;
    int eos = 1;
    Tokenizer byDefault = open("smollm");
    assertArrayEquals(byDefault.encode("x", false), byDefault.encode("x", true));
    assertEquals(bos, open("llama-bpe").encode("x", true)[0]);
    Tokenizer both =
        Fixtures.open(
            Fixtures.byteLevel()
                .bool("tokenizer.ggml.add_bos_token", true)
                .bool("tokenizer.ggml.add_eos_token", true),
            folder);
    int x = both.encode("x", false)[0];
    assertArrayEquals(new int[] {bos, x, eos}, both.encode("x", true));
    assertArrayEquals(new int[] {bos, eos}, both.encode("", true));
    assertEquals("x", both.decode(new int[] {bos, x, eos}));
  }

  @Test
  void rolesAndPieces() {
    Tokenizer tokenizer = open("smollm");
    assertEquals(0, tokenizer.bos().getAsInt());
    assertEquals(1, tokenizer.eos().getAsInt());
    assertEquals(Set.of(1), tokenizer.endOfGeneration());
    assertTrue(tokenizer.isEndOfGeneration(1));
    assertEquals("<|im_start|>", tokenizer.piece(0));
    assertEquals("<think>", tokenizer.piece(3));
    int[] ids = tokenizer.encode(" \u00e9", false);
    assertEquals(" ", tokenizer.piece(ids[0]));
    assertEquals("<0xC3>", tokenizer.piece(ids[1]));
    assertEquals(
        "id=-1, expected 0 to " + (tokenizer.vocabularySize() - 1),
        assertThrows(InvalidArgumentException.class, () -> tokenizer.piece(-1)).getMessage());
    assertThrows(
        InvalidArgumentException.class,
        () -> tokenizer.decode(new int[] {tokenizer.vocabularySize()}));
  }

  @Test
  void everyTokenThatEndsATurnEndsAGeneration() {
    GgufWriter writer =
        new GgufWriter()
            .string("tokenizer.ggml.model", "gpt2")
            .strings(
                "tokenizer.ggml.tokens",
                List.of("a", "<|eot_id|>", "<|im_end|>", "stop", "<|end|>", "eom"))
            .int32s("tokenizer.ggml.token_type", 1, 3, 4, 1, 1, 1)
            .strings("tokenizer.ggml.merges", List.of())
            .uint32("tokenizer.ggml.eos_token_id", 3)
            .uint32("tokenizer.ggml.eom_token_id", 5);
    assertEquals(Set.of(1, 2, 3, 5), Fixtures.open(writer, folder).endOfGeneration());
  }

  @Test
  void refusesWhatItCannotRead() {
    assertFails("tokenizer.ggml.model=bert, expected gpt2 or llama", vocabulary("bert", "a"));
    assertFails(
        "tokenizer.ggml.pre=chatglm, expected one of default, gpt-2, smollm, starcoder,"
            + " llama-bpe, llama3, llama-v3, qwen2, deepseek-r1-qwen, tekken",
        vocabulary("gpt2", "a").string("tokenizer.ggml.pre", "chatglm"));
    assertFails(
        "tokenizer.ggml.merges[1]='b c', expected two tokens whose concatenation is a token",
        vocabulary("gpt2", "a", "b", "ab").strings("tokenizer.ggml.merges", List.of("a b", "b c")));
    assertFails(
        "tokenizer.ggml.merges[0]='ab', expected two tokens whose concatenation is a token",
        vocabulary("gpt2", "a", "b", "ab").strings("tokenizer.ggml.merges", List.of("ab")));
    assertFails(
        "tokenizer.ggml.token_type has 2 entries, expected 1 (one for each token)",
        vocabulary("gpt2", "a").int32s("tokenizer.ggml.token_type", 1, 1));
    assertFails(
        "tokenizer.ggml.eos_token_id=9, expected 0 to 0",
        vocabulary("gpt2", "a").uint32("tokenizer.ggml.eos_token_id", 9));
    assertFails("tokenizer.ggml.tokens has 0 entries, expected 1 to 2097152", vocabulary("gpt2"));
    assertFails(
        "tokenizer.ggml.merges is missing, expected it in the metadata", vocabulary("gpt2", "a"));
  }

  private static GgufWriter vocabulary(String model, String... tokens) {
    return new GgufWriter()
        .string("tokenizer.ggml.model", model)
        .strings("tokenizer.ggml.tokens", List.of(tokens));
  }

  private void assertFails(String problem, GgufWriter writer) {
    String message =
        assertThrows(InvalidModelException.class, () -> Fixtures.open(writer, folder)).getMessage();
    assertEquals(folder.resolve("tokenizer.gguf") + ": " + problem, message);
  }
}
