package org.sinkq.llm.gguf;

import static org.sinkq.llm.InvalidModelException.require;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.sinkq.llm.InvalidModelException;

/**
 * Walks a file from front to back. Nothing in it is trusted: every count is held against the bytes
 * that are left before anything is allocated, every offset against the file.
 */
final class GgufParser {
  /** "GGUF", the first letter lowest. */
  private static final int MAGIC = 0x46554747;

  private static final int MAX_DIMENSIONS = 4;
  private static final int DEFAULT_ALIGNMENT = 32;
  private static final String ALIGNMENT_KEY = "general.alignment";

  /** Bytes of the shortest entry: an empty key, its type and one byte. */
  private static final int MIN_ENTRY_LENGTH = 8 + 4 + 1;

  /** Bytes of the shortest description of a tensor: an empty name and no extents. */
  private static final int MIN_TENSOR_LENGTH = 8 + 4 + 4 + 8;

  /** Kinds of values in the order of their numbers in the file. */
  private enum Kind {
    UINT8(1),
    INT8(1),
    UINT16(2),
    INT16(2),
    UINT32(4),
    INT32(4),
    FLOAT32(4),
    BOOL(1),
    STRING(8),
    ARRAY(12),
    UINT64(8),
    INT64(8),
    FLOAT64(8);

    /** Bytes of the shortest value. */
    final int minLength;

    Kind(int minLength) {
      this.minLength = minLength;
    }
  }

  private final Path file;
  private final MemorySegment bytes;
  private final GgufCursor in;

  GgufParser(Path file, MemorySegment bytes) {
    this.file = file;
    this.bytes = bytes;
    in = new GgufCursor(file, bytes);
  }

  /** What a file holds. */
  record Contents(GgufMetadata metadata, Map<String, GgufTensor> tensors) {}

  Contents parse() {
    int magic = in.u32();
    require(
        magic == MAGIC,
        file,
        "magic=0x%08x, expected 0x%08x (\"GGUF\")",
        Integer.reverseBytes(magic),
        Integer.reverseBytes(MAGIC));
    int version = in.u32();
    require(
        version == 2 || version == 3,
        file,
        "version=%s, expected 2 or 3 in little-endian order",
        Integer.toUnsignedString(version));
    int tensorCount = in.count("tensor count", MIN_TENSOR_LENGTH);
    int entryCount = in.count("metadata count", MIN_ENTRY_LENGTH);
    GgufMetadata metadata = new GgufMetadata(file, entries(entryCount));
    return new Contents(metadata, tensors(tensorCount, metadata));
  }

  private Map<String, Object> entries(int count) {
    Map<String, Object> entries = new LinkedHashMap<>();
    for (int i = 0; i < count; i++) {
      in.begin("metadata entry " + i);
      String key = in.string();
      in.begin("metadata entry " + key);
      Object previous = entries.put(key, value(kind()));
      require(previous == null, file, "%s occurs twice, expected it once", in.part());
    }
    return entries;
  }

  private Kind kind() {
    int number = in.u32();
    Kind[] kinds = Kind.values();
    require(
        number >= 0 && number < kinds.length,
        file,
        "%s: type=%s, expected 0 to %d",
        in.part(),
        Integer.toUnsignedString(number),
        kinds.length - 1);
    return kinds[number];
  }

  private Object value(Kind kind) {
    return switch (kind) {
      case UINT8, INT8, UINT16, INT16, UINT32, INT32, UINT64, INT64 -> integer(kind);
      case FLOAT32 -> (double) Float.intBitsToFloat(in.u32());
      case FLOAT64 -> Double.longBitsToDouble(in.u64());
      case BOOL -> in.u8() != 0;
      case STRING -> in.string();
      case ARRAY -> array();
    };
  }

  private long integer(Kind kind) {
    return switch (kind) {
      case UINT8 -> Byte.toUnsignedLong(in.u8());
      case INT8 -> in.u8();
      case UINT16 -> Short.toUnsignedLong(in.u16());
      case INT16 -> in.u16();
      case UINT32 -> Integer.toUnsignedLong(in.u32());
      case INT32 -> in.u32();
      case UINT64 -> {
        long value = in.u64();
        require(
            value >= 0,
            file,
            "%s=%s, expected less than 2^63",
            in.part(),
            Long.toUnsignedString(value));
        yield value;
      }
      case INT64 -> in.u64();
      default -> throw new AssertionError(kind);
    };
  }

  private Object array() {
    Kind kind = kind();
    int count = in.count("array length", kind.minLength);
    switch (kind) {
      case ARRAY ->
          throw new InvalidModelException(
              file, in.part() + " is an array of arrays, expected an array of plain values");
      case STRING -> {
        List<String> values = new ArrayList<>();
        for (int i = 0; i < count; i++) {
          values.add(in.string());
        }
        return new GgufMetadata.Strings(List.copyOf(values));
      }
      case BOOL -> {
        boolean[] values = new boolean[count];
        for (int i = 0; i < count; i++) {
          values[i] = in.u8() != 0;
        }
        return values;
      }
      case FLOAT32, FLOAT64 -> {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
          values[i] =
              kind == Kind.FLOAT32
                  ? Float.intBitsToFloat(in.u32())
                  : (float) Double.longBitsToDouble(in.u64());
        }
        return values;
      }
      default -> {
        long[] values = new long[count];
        for (int i = 0; i < count; i++) {
          values[i] = integer(kind);
        }
        return values;
      }
    }
  }

  /** A tensor as described, its bytes not located yet. */
  private record Description(String name, TensorType type, List<Long> shape, long offset) {}

  private Map<String, GgufTensor> tensors(int count, GgufMetadata metadata) {
    List<Description> descriptions = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      in.begin("tensor " + i);
      descriptions.add(description());
    }
    int alignment = metadata.findInteger(ALIGNMENT_KEY).orElse(DEFAULT_ALIGNMENT);
    require(
        alignment > 0 && alignment % 8 == 0,
        file,
        "%s=%d, expected a positive multiple of 8",
        ALIGNMENT_KEY,
        alignment);
    long start = (in.position() + alignment - 1) / alignment * alignment;
    Map<String, GgufTensor> tensors = new LinkedHashMap<>();
    for (Description d : descriptions) {
      MemorySegment data = data(d, start, alignment);
      GgufTensor previous =
          tensors.put(d.name(), new GgufTensor(d.name(), d.type(), d.shape(), data));
      require(previous == null, file, "tensor %s occurs twice, expected it once", d.name());
    }
    return tensors;
  }

  private Description description() {
    String name = in.string();
    in.begin("tensor " + name);
    int dimensions = in.u32();
    require(
        dimensions >= 1 && dimensions <= MAX_DIMENSIONS,
        file,
        "%s: dimensions=%s, expected 1 to %d",
        in.part(),
        Integer.toUnsignedString(dimensions),
        MAX_DIMENSIONS);
    List<Long> shape = new ArrayList<>();
    long elements = 1;
    for (int d = 0; d < dimensions; d++) {
      long extent = in.u64();
      require(
          extent > 0 && extent <= Long.MAX_VALUE / 8 / elements,
          file,
          "%s: extent %d=%s, expected 1 or more and fewer than 2^60 elements in all",
          in.part(),
          d,
          Long.toUnsignedString(extent));
      elements *= extent;
      shape.add(extent);
    }
    int number = in.u32();
    TensorType type = TensorType.find(number);
    require(
        type != null,
        file,
        "%s: type=%s, expected one of %s",
        in.part(),
        TensorType.describe(number),
        TensorType.names());
    require(
        shape.getFirst() % type.blockElements() == 0,
        file,
        "%s: extent 0=%d, expected a multiple of %d for type %s",
        in.part(),
        shape.getFirst(),
        type.blockElements(),
        type);
    return new Description(name, type, shape, in.u64());
  }

  private MemorySegment data(Description d, long start, int alignment) {
    require(
        d.offset() >= 0 && d.offset() % alignment == 0,
        file,
        "tensor %s: offset=%s, expected a multiple of %d",
        d.name(),
        Long.toUnsignedString(d.offset()),
        alignment);
    long elements = d.shape().stream().reduce(1L, (a, b) -> a * b);
    long blocks = elements / d.type().blockElements();
    long left = bytes.byteSize() - start;
    require(
        d.offset() <= left && blocks <= (left - d.offset()) / d.type().blockLength(),
        file,
        "tensor %s: %d elements of type %s at byte %s + %s do not fit, expected them within the file's %d bytes (is the file truncated?)",
        d.name(),
        elements,
        d.type(),
        start,
        d.offset(),
        bytes.byteSize());
    return bytes.asSlice(start + d.offset(), d.type().byteSize(elements));
  }
}
