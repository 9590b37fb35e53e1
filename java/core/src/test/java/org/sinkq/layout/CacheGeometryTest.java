package org.sinkq.layout;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.sinkq.InvalidArgumentException;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.ModelShape;
import org.sinkq.SinkPolicy;

/** Counts derived from the settings. */
class CacheGeometryTest {
  private static CacheGeometry geometry(int dim, int page, int window) {
    return new CacheGeometry(
        ModelShape.of(4, 4, 2, dim),
        KvCacheSpec.builder()
            .pageTokens(page)
            .windowTokens(window)
            .codec(3, KvCodec.FP16)
            .capacityTokens(1)
            .build());
  }

  @ParameterizedTest
  @CsvSource({"64, 64, 1", "80, 80, 1", "96, 96, 1", "128, 128, 1", "192, 96, 2", "256, 128, 2"})
  void valueGroupIsTheLargestDivisorUpTo128(int dim, int group, int groups) {
    assertEquals(group, geometry(dim, 128, 32).valueGroup());
    assertEquals(groups, geometry(dim, 128, 32).valueGroups());
  }

  @ParameterizedTest
  @CsvSource({"64, 32, 32", "64, 64, 64", "96, 64, 32", "192, 64, 64", "256, 32, 32"})
  void valueGroupCanBeSmallerInMultiplesOf32(int dim, int most, int group) {
    CacheGeometry geometry =
        new CacheGeometry(
            ModelShape.of(1, 1, 1, dim),
            KvCacheSpec.builder().valueGroup(most).capacityTokens(1).build());
    assertEquals(group, geometry.valueGroup());
    assertEquals(dim / group, geometry.valueGroups());
    assertEquals(dim == 64 && most == 64, geometry.hasUsualValueGroup());
  }

  @Test
  void smallValueGroupsNeedAHeadDimensionThatTheyDivide() {
    KvCacheSpec spec = KvCacheSpec.builder().valueGroup(64).capacityTokens(1).build();
    assertEquals(
        "valueGroup=64 with headDim=80, expected a head dimension that is a multiple of 32",
        assertThrows(
                InvalidArgumentException.class,
                () -> new CacheGeometry(ModelShape.of(1, 1, 1, 80), spec))
            .getMessage());
  }

  @ParameterizedTest
  @CsvSource({"128, 32, 160", "128, 0, 128", "32, 1, 64", "64, 33, 128", "32, 4096, 4128"})
  void theRingHoldsWindowAndPageInWholeBlocks(int page, int window, int ring) {
    assertEquals(ring, geometry(64, page, window).ringTokens());
  }

  @ParameterizedTest
  @CsvSource({
    "0, 159, 0",
    "0, 160, 1",
    "0, 287, 1",
    "0, 288, 2",
    "159, 1, 1",
    "31, 1, 0",
    "0, 5, 0",
    "100, 2000000000, 15625000"
  })
  void pagesThatAStepFills(int window, int rows, int pages) {
    assertEquals(pages, geometry(64, 128, 32).flushedPages(window, rows));
  }

  @Test
  void onlyQuantizedLayersFromTheFirstSinkLayerOnAreTracked() {
    CacheGeometry geometry = geometry(64, 128, 32);
    assertEquals(1, geometry.trackedLayers());
    assertEquals(2, geometry.trackedHeads());
    assertEquals(-1, geometry.trackedHead(1, 0));
    assertEquals(0, geometry.trackedHead(2, 0));
    assertEquals(1, geometry.trackedHead(2, 1));
    assertEquals(-1, geometry.trackedHead(3, 0), "dense layers keep no sinks");
    assertEquals(SinkPolicy.DEFAULT, geometry.sinks());
  }
}
