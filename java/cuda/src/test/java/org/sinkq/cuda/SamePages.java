package org.sinkq.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import org.sinkq.EngineAccess;
import org.sinkq.KvSequence;
import org.sinkq.engine.Engine;
import org.sinkq.engine.PageImage;

/** Whether two sequences of a backend have left the same bytes in their pages. */
final class SamePages {
  private SamePages() {}

  /** Compares all pages of the first sequence with the other one's, layer by layer. */
  static void check(Engine engine, int layers, int heads, KvSequence expected, KvSequence actual) {
    for (int layer = 0; layer < layers; layer++) {
      for (int head = 0; head < heads; head++) {
        for (int p = 0; p < EngineAccess.state(expected).pageCount(); p++) {
          PageImage want = page(engine, layer, head, expected, p);
          PageImage have = page(engine, layer, head, actual, p);
          assertArrayEquals(want.keyCodes(), have.keyCodes());
          assertArrayEquals(want.valueCodes(), have.valueCodes());
          assertArrayEquals(want.keys(), have.keys());
          assertArrayEquals(want.values(), have.values());
        }
      }
    }
  }

  private static PageImage page(
      Engine engine, int layer, int head, KvSequence sequence, int index) {
    return engine.readPage(layer, head, EngineAccess.state(sequence).page(index));
  }
}
