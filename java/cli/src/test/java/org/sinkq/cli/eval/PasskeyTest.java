package org.sinkq.cli.eval;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.sinkq.BackendConfig;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.llm.LanguageModel;
import org.sinkq.llm.text.Tokenizer;

final class PasskeyTest {
  @TempDir Path folder;
  private LanguageModel model;
  private Tokenizer tokenizer;

  @BeforeEach
  void open() throws IOException {
    model = LanguageModel.open(TinyGguf.write(folder.resolve("t"), 1), 2);
    tokenizer = Tokenizer.of(model.file());
  }

  @AfterEach
  void close() {
    model.close();
  }

  @Test
  void theKeyIsHiddenAsDeepAsAsked() {
    Passkey passkey = new Passkey(tokenizer, new int[] {'!'});
    int previous = -1;
    for (int depth : new int[] {0, 50, 100}) {
      Window window = passkey.window(new Passkey.Cell(600, depth), 3);
      assertEquals(600, window.tokens().length);
      assertEquals('!', window.tokens()[0]);
      String text = tokenizer.decode(window.tokens());
      Matcher key =
          Pattern.compile("The pass key is (\\d{5})\\. Remember it: \\1\\.").matcher(text);
      assertTrue(key.find(), text);
      assertTrue(key.start() > previous, "depth " + depth);
      previous = key.start();
      assertTrue(text.endsWith("What is the pass key? The pass key is " + key.group(1)), text);
      int[] answer =
          Arrays.copyOfRange(window.tokens(), window.firstTarget(), window.tokens().length);
      assertEquals(" " + key.group(1), tokenizer.decode(answer));
      if (depth == 50) {
        assertEquals(300, key.start(), 60);
      }
    }
  }

  @Test
  void everyTrialHasAKeyOfItsOwn() {
    Passkey passkey = new Passkey(tokenizer, new int[0]);
    Passkey.Cell cell = new Passkey.Cell(400, 50);
    assertNotEquals(
        tokenizer.decode(passkey.window(cell, 1).tokens()),
        tokenizer.decode(passkey.window(cell, 2).tokens()));
  }

  @Test
  void aModelThatKnowsNothingFindsNothing() {
    KvCacheSpec cache = KvCacheSpec.builder().codec(KvCodec.FP16).capacityTokens(400).build();
    Contender contender =
        new Contender("fp16", BackendConfig.of(model.attentionShape(), cache).withThreads(2));
    Passkey passkey = new Passkey(tokenizer, new int[0]);
    List<Passkey.Cell> cells = Passkey.grid(List.of(300, 400), List.of(0, 100));
    assertEquals(new Passkey.Cell(300, 100), cells.get(1));
    try (Comparison comparison = new Comparison(model, List.of(contender, contender))) {
      int[] fed = {0};
      Passkey.Result result = passkey.run(comparison, cells, 2, 1, done -> fed[0] = done);
      assertEquals(2 * (299 + 299 + 399 + 399), fed[0]);
      assertEquals(0, Arrays.stream(result.found()).flatMapToDouble(Arrays::stream).sum());
      assertEquals(4, result.found()[1].length);
      assertArrayEquals(result.loss()[0], result.loss()[1]);
      double guess = 6 * Math.log(tokenizer.vocabularySize());
      for (double loss : result.loss()[0]) {
        assertEquals(guess, loss, 0.5 * guess);
      }
    }
  }
}
