package org.sinkq.cpu;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;
import static org.sinkq.InvalidArgumentException.require;

import java.lang.foreign.MemorySegment;
import org.sinkq.engine.PageFormat;
import org.sinkq.engine.PageImage;
import org.sinkq.layout.CacheGeometry;

/** Pages in the order of {@link CpuLayout}, off the engine. */
final class CpuPages implements PageFormat {
  private static final String NAME = "cpu";

  private final CpuLayout[] layouts;
  private final Rotation rotation;

  CpuPages(CacheGeometry geometry) {
    layouts = new CpuLayout[geometry.shape().numLayers()];
    for (int i = 0; i < layouts.length; i++) {
      layouts[i] = new CpuLayout(geometry, i);
    }
    rotation = new Rotation(geometry.rotationBlock());
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public int pageBytes(int layer) {
    return layouts[layer].pageLength;
  }

  @Override
  public PageImage read(int layer, MemorySegment page) {
    return new PageReader(layouts[layer], page, 0, rotation).image();
  }

  @Override
  public void write(int layer, PageImage page, boolean[] masked, MemorySegment to) {
    CpuLayout layout = layouts[layer];
    require(
        !layout.isAdaptive(),
        "codec of layer %d=%s in another engine's order, expected pages of engine %s",
        layer,
        layout.codec,
        NAME);
    to.asSlice(0, layout.pageLength).fill((byte) 0);
    if (layout.codec.isQuantized()) {
      quantized(layout, page, to);
    } else {
      DenseBlocks blocks = new DenseBlocks(layout);
      for (int t = 0; t < layout.pageTokens; t++) {
        blocks.write(to, 0, t, page.keys()[t], page.values()[t]);
      }
    }
  }

  private static void quantized(CpuLayout layout, PageImage page, MemorySegment to) {
    for (int d = 0; d < layout.headDim; d++) {
      half(to, layout.keyScaleOffset, d, page.keyScale()[d]);
      half(to, layout.keyMinOffset, d, page.keyMin()[d]);
    }
    for (int t = 0; t < layout.pageTokens; t++) {
      for (int g = 0; g < layout.valueGroups; g++) {
        half(to, layout.valueScaleOffset, g * layout.pageTokens + t, page.valueScale()[t][g]);
        half(to, layout.valueMinOffset, g * layout.pageTokens + t, page.valueMin()[t][g]);
      }
      for (int d = 0; d < layout.headDim; d++) {
        code(to, layout.keyCodeOffset(t, d), page.keyCodes()[t][d] << layout.codeShift(d, t));
        code(to, layout.valueCodeOffset(t, d), page.valueCodes()[t][d] << layout.codeShift(t, d));
      }
    }
  }

  private static void half(MemorySegment to, int table, int index, float value) {
    to.set(JAVA_SHORT_UNALIGNED, table + 2L * index, Float.floatToFloat16(value));
  }

  private static void code(MemorySegment to, long at, int bits) {
    to.set(JAVA_INT_UNALIGNED, at, to.get(JAVA_INT_UNALIGNED, at) | bits);
  }
}
