package org.sinkq.reference;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import org.sinkq.engine.PageFormat;
import org.sinkq.engine.PageImage;
import org.sinkq.layout.CacheGeometry;

/** The arrays of a {@link PageImage} one after the other, a byte for a code. */
final class ReferencePages implements PageFormat {
  private final CacheGeometry geometry;

  ReferencePages(CacheGeometry geometry) {
    this.geometry = geometry;
  }

  @Override
  public String name() {
    return ReferenceEngineProvider.NAME;
  }

  private PageImage empty(int layer) {
    int dim = geometry.shape().headDim();
    int tokens = geometry.pageTokens();
    boolean quantized = geometry.layer(layer).codec().isQuantized();
    int coded = quantized ? tokens : 0;
    int channels = quantized ? dim : 0;
    boolean rotated = geometry.layer(layer).codec() == org.sinkq.KvCodec.INT2_ADAPTIVE;
    return new PageImage(
        new byte[coded][dim],
        new byte[coded][dim],
        new float[channels],
        new float[channels],
        new float[coded][geometry.valueGroups()],
        new float[coded][geometry.valueGroups()],
        new float[rotated ? dim : 0],
        new float[tokens][dim],
        new float[tokens][dim]);
  }

  @Override
  public int pageBytes(int layer) {
    PageImage image = empty(layer);
    int bytes = 0;
    for (byte[][] codes : codes(image)) {
      bytes += codes.length * geometry.shape().headDim();
    }
    for (float[][] floats : floats(image)) {
      for (float[] row : floats) {
        bytes += row.length * Float.BYTES;
      }
    }
    return bytes;
  }

  private static byte[][][] codes(PageImage image) {
    return new byte[][][] {image.keyCodes(), image.valueCodes()};
  }

  private static float[][][] floats(PageImage image) {
    return new float[][][] {
      {image.keyScale(), image.keyMin(), image.valueMean()},
      image.valueScale(),
      image.valueMin(),
      image.keys(),
      image.values()
    };
  }

  @Override
  public PageImage read(int layer, MemorySegment page) {
    PageImage image = empty(layer);
    ByteBuffer bytes = page.asByteBuffer();
    for (byte[][] codes : codes(image)) {
      for (byte[] row : codes) {
        bytes.get(row);
      }
    }
    for (float[][] floats : floats(image)) {
      for (float[] row : floats) {
        for (int i = 0; i < row.length; i++) {
          row[i] = bytes.getFloat();
        }
      }
    }
    return image;
  }

  @Override
  public void write(int layer, PageImage page, boolean[] masked, MemorySegment to) {
    ByteBuffer bytes = to.asByteBuffer();
    for (byte[][] codes : codes(page)) {
      for (byte[] row : codes) {
        bytes.put(row);
      }
    }
    for (float[][] floats : floats(page)) {
      for (float[] row : floats) {
        for (float x : row) {
          bytes.putFloat(x);
        }
      }
    }
  }
}
