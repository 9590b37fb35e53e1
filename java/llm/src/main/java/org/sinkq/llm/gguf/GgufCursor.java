package org.sinkq.llm.gguf;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.sinkq.llm.InvalidModelException.require;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Reads little-endian values one after another and refuses to leave the file. */
final class GgufCursor {
  private static final ValueLayout.OfShort U16 =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt U32 =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong U64 =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Path file;
  private final MemorySegment bytes;
  private long at;

  /** What is being read, for the errors. */
  private String part = "header";

  GgufCursor(Path file, MemorySegment bytes) {
    this.file = file;
    this.bytes = bytes;
  }

  void begin(String newPart) {
    part = newPart;
  }

  String part() {
    return part;
  }

  long position() {
    return at;
  }

  byte u8() {
    return bytes.get(JAVA_BYTE, take(Byte.BYTES));
  }

  short u16() {
    return bytes.get(U16, take(Short.BYTES));
  }

  int u32() {
    return bytes.get(U32, take(Integer.BYTES));
  }

  long u64() {
    return bytes.get(U64, take(Long.BYTES));
  }

  /**
   * Reads how many things follow.
   *
   * @param minLength bytes that the shortest of them takes, so that what is allocated for them
   *     never exceeds what the file could hold
   */
  int count(String things, int minLength) {
    long count = u64();
    long left = bytes.byteSize() - at;
    require(
        count >= 0 && count <= left / minLength && count <= Integer.MAX_VALUE - 8,
        file,
        "%s: %s of %s, expected at most %d in the %d bytes that are left",
        part,
        things,
        Long.toUnsignedString(count),
        left / minLength,
        left);
    return (int) count;
  }

  String string() {
    int length = count("string length", 1);
    byte[] utf8 = new byte[length];
    MemorySegment.copy(bytes, JAVA_BYTE, take(length), utf8, 0, length);
    return new String(utf8, StandardCharsets.UTF_8);
  }

  private long take(long length) {
    long from = at;
    require(
        length <= bytes.byteSize() - from,
        file,
        "%s ends at byte %d, expected %d more bytes from byte %d (is the file truncated?)",
        part,
        bytes.byteSize(),
        length,
        from);
    at = from + length;
    return from;
  }
}
