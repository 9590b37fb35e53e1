package org.sinkq.saved;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.sinkq.InvalidArgumentException.require;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.sinkq.KvCodec;
import org.sinkq.SinkPolicy;
import org.sinkq.layout.CacheGeometry;

/**
 * The header of a saved sequence, see {@link org.sinkq.saved}.
 *
 * @param length tokens
 * @param pages full pages
 * @param pageFormat name of the byte order of its pages
 */
public record SavedHeader(int length, int pages, String pageFormat) {
  private static final byte[] MAGIC = "SINKQSEQ".getBytes(US_ASCII);
  private static final int VERSION = 1;

  /** Magic, version and length: what has to be read before the rest can be. */
  private static final int PREFIX_LENGTH = 16;

  private static final int LAYERS_OFFSET = 76;
  private static final int NAME_LENGTH = 16;
  private static final int LONGEST = 2048;
  private static final int TRACKED = 128;

  private static final String[] COUNTS = {
    "numLayers",
    "numKvHeads",
    "headDim",
    "pageTokens",
    "windowTokens",
    "valueGroup",
    "poolTokens",
    "spillTokens",
    "selection"
  };

  private static int[] counts(CacheGeometry geometry) {
    return new int[] {
      geometry.shape().numLayers(),
      geometry.shape().numKvHeads(),
      geometry.shape().headDim(),
      geometry.pageTokens(),
      geometry.windowTokens(),
      geometry.valueGroup(),
      geometry.sinks().poolTokens(),
      geometry.sinks().spillTokens(),
      number(geometry.sinks().selection())
    };
  }

  private static int number(SinkPolicy.Selection selection) {
    return switch (selection) {
      case SMALLEST_KEYS -> 0;
      case FIRST_TOKENS -> 1;
      case MOST_ATTENDED -> 2;
    };
  }

  /** Numbers that stay, whatever codecs come. */
  private static int number(KvCodec codec) {
    return switch (codec) {
      case FP32 -> 0;
      case FP16 -> 1;
      case INT4 -> 2;
      case INT2 -> 3;
      case INT2_ADAPTIVE -> 4;
    };
  }

  private static int layer(CacheGeometry geometry, int layer) {
    int tracked = geometry.trackedHead(layer, 0) < 0 ? 0 : TRACKED;
    return number(geometry.layer(layer).codec()) | tracked;
  }

  private static int lengthOf(int layers) {
    return LAYERS_OFFSET + CacheGeometry.roundUp(layers, Integer.BYTES) + Integer.BYTES;
  }

  /** Writes the header with its checksum. */
  public void write(CacheGeometry geometry, SavedOutput out) throws IOException {
    int layers = geometry.shape().numLayers();
    ByteBuffer bytes = ByteBuffer.allocate(lengthOf(layers) - Integer.BYTES);
    bytes.order(ByteOrder.LITTLE_ENDIAN).put(MAGIC).putInt(VERSION).putInt(lengthOf(layers));
    for (int count : counts(geometry)) {
      bytes.putInt(count);
    }
    bytes.putInt(length).putInt(pages).put(pageFormat.getBytes(US_ASCII)).position(LAYERS_OFFSET);
    for (int layer = 0; layer < layers; layer++) {
      bytes.put((byte) layer(geometry, layer));
    }
    out.write(bytes.clear());
    out.checksum();
  }

  /**
   * Reads a header and compares it with the cache that the sequence is to enter.
   *
   * @throws org.sinkq.InvalidArgumentException naming the first thing that is not as expected
   */
  public static SavedHeader read(CacheGeometry geometry, SavedInput in) throws IOException {
    ByteBuffer prefix = in.read(PREFIX_LENGTH, "the header");
    byte[] magic = new byte[MAGIC.length];
    prefix.get(magic);
    require(
        java.util.Arrays.equals(magic, MAGIC),
        "saved sequence begins with %s, expected %s (SINKQSEQ)",
        hex(magic),
        hex(MAGIC));
    int version = prefix.getInt();
    require(version == VERSION, "version=%d of a saved sequence, expected %d", version, VERSION);
    int headerLength = prefix.getInt();
    require(
        headerLength > lengthOf(0) && headerLength <= LONGEST && headerLength % 4 == 0,
        "header length=%d of a saved sequence, expected a multiple of 4 from %d to %d",
        headerLength,
        lengthOf(1),
        LONGEST);
    ByteBuffer rest = in.read(headerLength - PREFIX_LENGTH - Integer.BYTES, "the header");
    in.checksum("the header");
    compare(geometry, rest);
    return counted(geometry, rest);
  }

  private static String hex(byte[] bytes) {
    return java.util.HexFormat.of().formatHex(bytes);
  }

  /** The rest of a header begins behind the prefix. */
  private static void compare(CacheGeometry geometry, ByteBuffer rest) {
    int[] expected = counts(geometry);
    for (int i = 0; i < expected.length; i++) {
      int count = rest.getInt(i * Integer.BYTES);
      require(
          count == expected[i],
          "%s=%d of a saved sequence, expected %d, that of this cache",
          COUNTS[i],
          count,
          expected[i]);
    }
    for (int layer = 0; layer < geometry.shape().numLayers(); layer++) {
      int saved = rest.get(LAYERS_OFFSET - PREFIX_LENGTH + layer) & 0xFF;
      int here = layer(geometry, layer);
      require(
          saved == here,
          "layer %d of a saved sequence=%s, expected %s, that of this cache",
          layer,
          describe(saved),
          describe(here));
    }
  }

  private static String describe(int layer) {
    String name = "codec number " + (layer & ~TRACKED);
    for (KvCodec codec : KvCodec.values()) {
      name = number(codec) == (layer & ~TRACKED) ? codec.name() : name;
    }
    return name + ((layer & TRACKED) == 0 ? " without sinks" : " with sinks");
  }

  private static SavedHeader counted(CacheGeometry geometry, ByteBuffer rest) {
    rest.position(COUNTS.length * Integer.BYTES);
    int length = rest.getInt();
    int pages = rest.getInt();
    byte[] name = new byte[NAME_LENGTH];
    rest.get(name);
    long window = length - (long) pages * geometry.pageTokens();
    require(
        pages >= 0 && window >= 0 && window < geometry.flushTokens(),
        "length=%d, pages=%d of a saved sequence, expected 0 to %d tokens beyond its pages of %d",
        length,
        pages,
        geometry.flushTokens() - 1,
        geometry.pageTokens());
    return new SavedHeader(length, pages, new String(name, US_ASCII).replace("\0", ""));
  }
}
