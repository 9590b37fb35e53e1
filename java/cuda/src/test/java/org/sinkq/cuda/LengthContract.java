package org.sinkq.cuda;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.ModelShape;
import org.sinkq.contract.Data;
import org.sinkq.contract.Lockstep;

/** Prompts of lengths around multiples of pages, tiles and the window, then decode steps. */
abstract class LengthContract {
  private static final int MOST = 600;

  abstract String engine();

  /** Lengths 0, 1 and 127 beyond a multiple of 128, and those at which a prompt fills a page. */
  @ParameterizedTest
  @ValueSource(ints = {127, 128, 129, 159, 160, 161, 255, 256, 257, 287, 288, 289, 511, 512, 513})
  void promptThenDecode(int tokens) {
    promptThenDecode(KvCodec.INT2, tokens);
  }

  @ParameterizedTest
  @ValueSource(ints = {159, 160, 288, 513})
  void overAdaptivePages(int tokens) {
    promptThenDecode(KvCodec.INT2_ADAPTIVE, tokens);
  }

  private void promptThenDecode(KvCodec codec, int tokens) {
    ModelShape shape = ModelShape.of(1, 4, 1, 64);
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .codec(codec)
            .firstSinkLayer(0)
            .capacityTokens(MOST)
            .maxSequences(1)
            .build();
    Data data = Data.of(tokens, Data.Style.OUTLIERS);
    try (Lockstep lockstep = new Lockstep(engine(), shape, spec, 1, data)) {
      Lockstep.Pair pair = lockstep.open();
      lockstep.step(pair, tokens);
      lockstep.step(pair, 1);
      lockstep.step(pair, 1);
      lockstep.step(pair, 20);
    }
  }

  /**
   * Few rows after many tokens: too few blocks of prefill, so that their tokens are cut too, or,
   * over pages of 128 tokens, many columns of attend.
   */
  @ParameterizedTest
  @CsvSource({"9, 64", "33, 64", "33, 128"})
  void fewRowsAfterMany(int rows, int pageTokens) {
    ModelShape shape = ModelShape.of(1, 4, 1, 64);
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .pageTokens(pageTokens)
            .firstSinkLayer(0)
            .capacityTokens(MOST)
            .maxSequences(1)
            .build();
    Data data = Data.of(rows, Data.Style.OUTLIERS);
    try (Lockstep lockstep = new Lockstep(engine(), shape, spec, 1, data)) {
      Lockstep.Pair pair = lockstep.open();
      lockstep.step(pair, 520);
      lockstep.step(pair, rows);
      lockstep.step(pair, 1);
    }
  }
}
