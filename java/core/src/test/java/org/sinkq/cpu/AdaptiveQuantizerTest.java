package org.sinkq.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.sinkq.KvCacheSpec;
import org.sinkq.KvCodec;
import org.sinkq.ModelShape;
import org.sinkq.layout.CacheGeometry;

/** What the adaptive codec does to a page; that its numbers are right is the contract's matter. */
class AdaptiveQuantizerTest {
  private static CacheGeometry geometry(int dim) {
    KvCacheSpec spec = KvCacheSpec.builder().codec(KvCodec.INT2_ADAPTIVE).capacityTokens(1).build();
    return new CacheGeometry(ModelShape.of(1, 1, 1, dim), spec);
  }

  /** The mean over keys and values, padding included, of which D = 80 has a fifth in its values. */
  @ParameterizedTest
  @CsvSource({"64, 2.375", "80, 2.55", "96, 2.292", "128, 2.328", "192, 2.333", "256, 2.320"})
  void bitsOfANumber(int dim, double bits) {
    CpuLayout layout = new CpuLayout(geometry(dim), 0);
    assertEquals(bits, layout.pageLength * 8 / (2.0 * dim * 128), 0.0006);
  }

  @Test
  void digitsGoWhereKeysAreLarge() {
    int dim = 64;
    CacheGeometry geometry = geometry(dim);
    CpuLayout layout = new CpuLayout(geometry, 0);
    float[] keys = new float[dim * 128];
    Random random = new Random(9);
    for (int d = 0; d < dim; d++) {
      for (int t = 0; t < 128; t++) {
        keys[d * 128 + t] = (float) ((d == 5 ? 20 : d < 32 ? 1 : 0.01) * random.nextGaussian());
      }
    }
    AdaptivePage page = fill(geometry, layout, keys);
    int[] digits = new int[dim];
    for (int row = 0; row < layout.keyRows; row++) {
      digits[page.channel[row]]++;
    }
    assertEquals(3, digits[5]);
    for (int d = 0; d < dim; d++) {
      assertTrue(d < 32 ? digits[d] >= 2 : digits[d] <= 1, "channel " + d + ": " + digits[d]);
    }
  }

  /** A page on which no channel gains anything still gives out all digits. */
  @Test
  void constantKeysAreExact() {
    CacheGeometry geometry = geometry(64);
    CpuLayout layout = new CpuLayout(geometry, 0);
    float[] keys = new float[64 * 128];
    java.util.Arrays.fill(keys, 0.75f);
    AdaptivePage page = fill(geometry, layout, keys);
    assertEquals(72, layout.keyRows);
    assertEquals(16, page.weight[0]);
    assertEquals(23, page.channel[71]);
    for (int d = 0; d < 64; d++) {
      assertEquals(0.75f, page.keyMin[d]);
      assertEquals(0f, page.keyScale[d]);
    }
  }

  private static AdaptivePage fill(CacheGeometry geometry, CpuLayout layout, float[] keys) {
    AdaptivePage page = new AdaptivePage(layout.headDim, layout.keyRows, layout.pageTokens);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(layout.pageLength, 64);
      new AdaptiveQuantizer(layout, new Rotation(geometry.rotationBlock()))
          .quantize(keys, new float[keys.length], new boolean[128], memory, 0);
      page.load(layout, new ScalarKernels(), memory, 0);
    }
    return page;
  }
}
