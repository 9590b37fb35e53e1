package org.sinkq.cpu;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.ModelShape;
import org.sinkq.SinkPolicy;
import org.sinkq.contract.Data;
import org.sinkq.contract.Lockstep;

/** Settings that only host engines have, in lockstep with the oracle. */
class CpuOptionsTest {
  @ParameterizedTest
  @CsvSource({"64,32", "96,64", "128,32", "192,64", "256,128"})
  void valuesInSmallerGroups(int headDim, int valueGroup) {
    run(headDim, valueGroup, SinkPolicy.DEFAULT, KvCodec.INT2);
    run(headDim, valueGroup, SinkPolicy.DEFAULT, KvCodec.INT4);
    run(headDim, valueGroup, SinkPolicy.DEFAULT, KvCodec.INT2_ADAPTIVE);
  }

  @ParameterizedTest
  @CsvSource({"1", "4"})
  void theFirstTokensAsSinks(int tokens) {
    run(64, 128, SinkPolicy.first(tokens), KvCodec.INT2);
  }

  private static void run(int headDim, int valueGroup, SinkPolicy sinks, KvCodec codec) {
    KvCacheSpec spec =
        KvCacheSpec.builder()
            .pageTokens(32)
            .windowTokens(10)
            .valueGroup(valueGroup)
            .sinks(sinks)
            .firstSinkLayer(1)
            .codec(codec)
            .capacityTokens(300)
            .build();
    Data data = Data.of(headDim + valueGroup, Data.Style.OUTLIERS);
    try (Lockstep lockstep = new Lockstep("cpu", ModelShape.of(2, 4, 2, headDim), spec, 2, data)) {
      Lockstep.Pair pair = lockstep.open();
      for (int rows : new int[] {100, 1, 1, 40, 3, 90, 1}) {
        lockstep.step(pair, rows);
      }
      lockstep.truncate(pair, 150);
      lockstep.step(pair, 20);
    }
  }
}
