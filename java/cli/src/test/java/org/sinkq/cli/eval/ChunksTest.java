package org.sinkq.cli.eval;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.sinkq.BackendConfig;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.ModelShape;

final class ChunksTest {
  private static Contender contender(KvCodec codec, int page, int window) {
    KvCacheSpec cache =
        KvCacheSpec.builder()
            .codec(codec)
            .pageTokens(page)
            .windowTokens(window)
            .capacityTokens(1000)
            .build();
    return new Contender("", BackendConfig.of(ModelShape.of(1, 1, 1, 64), cache));
  }

  private static List<Integer> ends(int tokens, int maxRows, Contender... contenders) {
    List<Integer> ends = new ArrayList<>();
    for (int at = 0; at < tokens; ) {
      at = Chunks.next(List.of(contenders), at, tokens, maxRows);
      ends.add(at);
    }
    return ends;
  }

  @Test
  void stepsEndWhereAPageIsFlushed() {
    assertEquals(List.of(160, 288, 416, 500), ends(500, 999, contender(KvCodec.INT2, 128, 32)));
    assertEquals(List.of(32, 64, 70), ends(70, 999, contender(KvCodec.INT4, 32, 0)));
  }

  @Test
  void theNextFlushOfAnyCacheCounts() {
    assertEquals(
        List.of(160, 192, 224, 256, 288, 300),
        ends(
            300,
            999,
            contender(KvCodec.FP16, 32, 0),
            contender(KvCodec.INT2, 128, 32),
            contender(KvCodec.INT2, 32, 128)));
  }

  @Test
  void aDenseCacheTakesStepsOfAnyLength() {
    assertEquals(List.of(400, 500), ends(500, 400, contender(KvCodec.FP16, 32, 0)));
  }

  @Test
  void stepsHaveNoMoreRowsThanAllowed() {
    assertEquals(
        List.of(100, 160, 260, 288, 300), ends(300, 100, contender(KvCodec.INT2, 128, 32)));
  }
}
