package org.sinkq.llm.gguf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.sinkq.llm.InvalidModelException;

class GgufFileTest {
  @TempDir Path folder;
  private Path path;

  @BeforeEach
  void name() {
    path = folder.resolve("m.gguf");
  }

  static GgufWriter sample() {
    return new GgufWriter()
        .string("name", "größer")
        .uint32("count", 7)
        .float32("eps", 1e-5f)
        .bool("yes", true)
        .entry("big", 10, GgufWriter.longs(1L << 40))
        .entry("small", 1, new byte[] {-3})
        .entry("unsigned", 0, new byte[] {-3})
        .entry("word", 2, new byte[] {-1, -1})
        .entry("double", 12, GgufWriter.longs(Double.doubleToLongBits(0.1)))
        .strings("words", List.of("a", "", "ccc"))
        .int32s("ints", 1, -2, 3)
        .float32s("floats", 0.5f, 2)
        .tensor("x", new float[] {1, 2, 3, 4, 5, 6}, 3, 2)
        .tensor("q", TensorType.Q4_1.id(), new long[] {32}, new byte[20]);
  }

  @Test
  void readsEveryKindOfValue() {
    try (GgufFile file = GgufFile.open(sample().write(path))) {
      GgufMetadata m = file.metadata();
      assertEquals("größer", m.string("name"));
      assertEquals(7, m.integer("count"));
      assertEquals(1e-5f, m.floating("eps"));
      assertTrue(m.bool("yes"));
      assertEquals(1L << 40, m.longInteger("big"));
      assertEquals(-3, m.integer("small"));
      assertEquals(253, m.integer("unsigned"));
      assertEquals(65535, m.integer("word"));
      assertEquals(0.1, m.findFloating("double").getAsDouble());
      assertEquals(List.of("a", "", "ccc"), m.strings("words"));
      assertArrayEquals(new int[] {1, -2, 3}, m.integers("ints"));
      assertArrayEquals(new float[] {0.5f, 2}, m.floats("floats"));
      assertTrue(m.has("name"));
      assertFalse(m.has("absent"));
      assertTrue(m.findString("absent").isEmpty());
      assertTrue(m.findInteger("absent").isEmpty());
      assertEquals("name", m.keys().iterator().next());
    }
  }

  @Test
  void findsTensors() {
    try (GgufFile file = GgufFile.open(sample().write(path))) {
      GgufTensor x = file.tensor("x");
      assertEquals(List.of(3L, 2L), x.shape());
      assertEquals(6, x.elements());
      assertEquals(2, x.extent(1));
      assertEquals(1, x.extent(2));
      assertEquals(24, x.data().byteSize());
      assertEquals(6f, x.data().getAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, 5));
      assertEquals(TensorType.Q4_1, file.tensor("q").type());
      assertEquals(20, file.tensor("q").data().byteSize());
      assertTrue(file.findTensor("y").isEmpty());
      assertEquals(2, file.tensors().size());
    }
  }

  @Test
  void closingTwiceIsHarmless() {
    GgufFile file = GgufFile.open(sample().write(path));
    file.close();
    file.close();
  }

  @Test
  void typedAccessNamesWhatItFound() {
    try (GgufFile file = GgufFile.open(sample().write(path))) {
      GgufMetadata m = file.metadata();
      assertMessage("gone is missing, expected it in the metadata", () -> m.string("gone"));
      assertMessage("count=7, expected a string", () -> m.string("count"));
      assertMessage("name=\"größer\", expected an integer", () -> m.integer("name"));
      assertMessage("big=1099511627776, expected an integer of 32 bits", () -> m.integer("big"));
      assertMessage(
          "words=array of 3 strings, expected an array of integers", () -> m.integers("words"));
      assertMessage("tensor y is missing, expected it in the file", () -> file.tensor("y"));
    }
  }

  private void assertMessage(String expected, Executable call) {
    String message = assertThrows(InvalidModelException.class, call).getMessage();
    assertEquals(path + ": " + expected, message);
  }

  private void assertRefused(String expected, byte[] file) throws IOException {
    Files.write(path, file);
    assertMessage(expected, () -> GgufFile.open(path));
  }

  private void assertRefused(String expected, GgufWriter writer) throws IOException {
    assertRefused(expected, writer.toBytes());
  }

  @Test
  void refusesWhatIsNoGguf() throws IOException {
    assertRefused(
        "magic=0x50574e44, expected 0x47475546 (\"GGUF\")",
        "PWND and some more".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
    assertRefused(
        "header ends at byte 0, expected 4 more bytes from byte 0 (is the file truncated?)",
        new byte[0]);
    assertRefused("version=1, expected 2 or 3 in little-endian order", sample().version(1));
    assertRefused(
        "version=50331648, expected 2 or 3 in little-endian order",
        sample().version(Integer.reverseBytes(3)));
  }

  @Test
  void refusesAMissingFile() {
    assertMessage("no such file, expected a GGUF file", () -> GgufFile.open(path));
  }

  @Test
  void refusesAFolder() {
    Path where = folder;
    String message =
        assertThrows(InvalidModelException.class, () -> GgufFile.open(where)).getMessage();
    assertTrue(message.startsWith(folder + ": cannot be read ("), message);
  }

  @Test
  void refusesAbsurdCounts() throws IOException {
    byte[] file = new GgufWriter().uint32("a", 1).toBytes();
    file[15] = 0x7f;
    assertRefused(
        "header: tensor count of 9151314442816847872, expected at most 2 in the 48 bytes that are left",
        file);
    assertRefused(
        "metadata entry a: array length of 18446744073709551615, expected at most 3 in the 15 bytes that are left",
        new GgufWriter().entry("a", 9, GgufWriter.ints(5), GgufWriter.longs(-1)));
  }

  @Test
  void refusesBadEntries() throws IOException {
    assertRefused(
        "metadata entry a: type=13, expected 0 to 12",
        new GgufWriter().entry("a", 13, new byte[8]));
    assertRefused(
        "metadata entry a occurs twice, expected it once",
        new GgufWriter().uint32("a", 1).uint32("a", 2));
    assertRefused(
        "metadata entry a is an array of arrays, expected an array of plain values",
        new GgufWriter().entry("a", 9, GgufWriter.ints(9), GgufWriter.longs(1), new byte[12]));
    assertRefused(
        "metadata entry a=18446744073709551615, expected less than 2^63",
        new GgufWriter().entry("a", 10, GgufWriter.longs(-1)));
    assertRefused(
        "general.alignment=12, expected a positive multiple of 8",
        new GgufWriter().uint32("general.alignment", 12));
  }

  @Test
  void refusesBadTensors() throws IOException {
    assertRefused(
        "tensor t: type=Q2_K (10), expected one of F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K, BF16",
        new GgufWriter().tensor("t", 10, new long[] {256}, new byte[84]));
    assertRefused(
        "tensor t: type=unknown (77), expected one of F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K, BF16",
        new GgufWriter().tensor("t", 77, new long[] {256}, new byte[84]));
    assertRefused(
        "tensor t: extent 0=33, expected a multiple of 32 for type Q4_1",
        new GgufWriter().tensor("t", 3, new long[] {33}, new byte[40]));
    assertRefused(
        "tensor t: dimensions=5, expected 1 to 4",
        new GgufWriter().tensor("t", 0, new long[] {1, 1, 1, 1, 1}, new byte[4]));
    assertRefused(
        "tensor t: extent 1=0, expected 1 or more and fewer than 2^60 elements in all",
        new GgufWriter().tensor("t", 0, new long[] {4, 0}, new byte[4]));
    assertRefused(
        "tensor t: extent 1=1073741824, expected 1 or more and fewer than 2^60 elements in all",
        new GgufWriter().tensor("t", 0, new long[] {1 << 30, 1 << 30}, new byte[4]));
    assertRefused(
        "tensor t occurs twice, expected it once",
        new GgufWriter().tensor("t", new float[1], 1).tensor("t", new float[1], 1));
    assertRefused(
        "tensor t: 64 elements of type F32 at byte 64 + 0 do not fit, expected them within the file's 96 bytes (is the file truncated?)",
        new GgufWriter().tensor("t", 0, new long[] {64}, new byte[32]));
  }

  @Test
  void refusesAnUnalignedOffset() throws IOException {
    byte[] file = new GgufWriter().tensor("t", new float[1], 1).toBytes();
    // The offset is the last field before the padding: header 24, name 9, count 4, extent 8, type
    // 4.
    file[49] = 1;
    assertRefused("tensor t: offset=1, expected a multiple of 32", file);
  }
}
