package org.sinkq.cuda;

import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.sinkq.InvalidArgumentException.require;

import java.lang.foreign.MemorySegment;
import org.sinkq.engine.PageFormat;
import org.sinkq.engine.PageImage;
import org.sinkq.layout.CacheGeometry;

/** Pages in the order of {@link CudaLayout}, off the device. */
final class CudaPages implements PageFormat {
  private static final int SIGN = 0x8000;

  /** The second byte order of this engine. */
  private static final String NAME = "cuda-2";

  private final CudaLayout[] layouts;

  CudaPages(CacheGeometry geometry) {
    layouts = new CudaLayout[geometry.shape().numLayers()];
    for (int i = 0; i < layouts.length; i++) {
      layouts[i] = new CudaLayout(geometry, i);
    }
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public int pageBytes(int layer) {
    return layouts[layer].pageBytes;
  }

  @Override
  public PageImage read(int layer, MemorySegment page) {
    return new PageDecoder(layouts[layer], page).image();
  }

  @Override
  public void write(int layer, PageImage page, boolean[] masked, MemorySegment to) {
    CudaLayout layout = layouts[layer];
    require(
        !layout.isAdaptive(),
        "codec of layer %d=INT2_ADAPTIVE in another engine's order, expected pages of engine %s",
        layer,
        CudaEngineProvider.NAME);
    to.asSlice(0, layout.pageBytes).fill((byte) 0);
    for (int t = 0; t < layout.pageTokens; t++) {
      if (layout.isQuantized()) {
        token(layout, page, t, masked[t], to);
      } else {
        denseToken(layout, page, t, to);
      }
    }
    boolean any = false;
    for (boolean m : masked) {
      any |= m;
    }
    for (int d = 0; layout.isQuantized() && d < layout.headDim; d++) {
      add(to, layout.keyScaleOffset(d), scale(page.keyScale()[d], any && d == 0));
      add(to, layout.keyMinimumOffset(d), half(page.keyMin()[d]));
    }
  }

  private static void token(
      CudaLayout layout, PageImage page, int t, boolean masked, MemorySegment to) {
    for (int d = 0; d < layout.headDim; d++) {
      add(to, layout.keyCodeOffset(t, d), page.keyCodes()[t][d] << layout.keyCodeShift(t, d));
      add(to, layout.valueCodeOffset(t, d), page.valueCodes()[t][d] << layout.valueCodeShift(t, d));
    }
    for (int g = 0; g < layout.valueGroups; g++) {
      add(to, layout.valueScaleOffset(t, g), scale(page.valueScale()[t][g], masked && g == 0));
      add(to, layout.valueMinimumOffset(t, g), half(page.valueMin()[t][g]));
    }
  }

  private static void denseToken(CudaLayout layout, PageImage page, int t, MemorySegment to) {
    long block = (long) t / CudaLayout.TILE * layout.denseBlock;
    for (int d = 0; d < layout.headDim; d++) {
      add(to, block + CudaLayout.denseKeyOffset(t, d), half(page.keys()[t][d]));
      add(to, block + layout.denseValueOffset(t, d), half(page.values()[t][d]));
    }
  }

  private static int half(float x) {
    return Float.floatToFloat16(x) & 0xFFFF;
  }

  private static int scale(float scale, boolean mark) {
    return half(scale) | (mark ? SIGN : 0);
  }

  private static void add(MemorySegment to, long at, int bits) {
    to.set(JAVA_SHORT, at, (short) (to.get(JAVA_SHORT, at) | bits));
  }
}
