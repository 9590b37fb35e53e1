package org.sinkq.llm.safetensors;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class SafetensorsTest {
  @TempDir Path folder;

  @Test
  void whatIsWrittenIsReadBack() throws IOException {
    Path file = folder.resolve("t.safetensors");
    float[] out = {1, -2.5f, Float.MIN_VALUE, 4, 5, 6};
    int[] sinks = {7, -1};
    SafetensorsWriter.write(
        file,
        List.of(
            Tensor.of("out", "F32", MemorySegment.ofArray(out), 1, 2, 3),
            Tensor.of("sinks", "I32", MemorySegment.ofArray(sinks), 2, 1),
            Tensor.of("none", "F16", MemorySegment.ofArray(new byte[0]), 4, 0)));

    try (SafetensorsFile read = SafetensorsFile.open(file)) {
      assertEquals(List.of("out", "sinks", "none"), List.copyOf(read.tensors().keySet()));
      Tensor tensor = read.tensor("out");
      assertEquals("F32 [1, 2, 3]", tensor.describe());
      assertArrayEquals(out, tensor.data().toArray(ValueLayout.JAVA_FLOAT_UNALIGNED));
      assertArrayEquals(sinks, read.tensor("sinks").data().toArray(ValueLayout.JAVA_INT_UNALIGNED));
      assertEquals(0, read.tensor("none").data().byteSize());
    }
  }

  @Test
  void dataStartsAligned() throws IOException {
    Path file = folder.resolve("t.safetensors");
    for (int nameLength = 1; nameLength < 9; nameLength++) {
      Tensor tensor =
          Tensor.of("n".repeat(nameLength), "U8", MemorySegment.ofArray(new byte[1]), 1);
      SafetensorsWriter.write(file, List.of(tensor));
      long header =
          ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN).getLong();
      assertEquals(0, header % 8, "name of " + nameLength + " letters");
    }
  }

  @Test
  void anExistingFileIsReplacedAndNothingElseLeft() throws IOException {
    Path file = Files.writeString(folder.resolve("t.safetensors"), "old");
    SafetensorsWriter.write(
        file, List.of(Tensor.of("a", "U8", MemorySegment.ofArray(new byte[] {9}), 1)));
    try (Stream<Path> left = Files.list(folder)) {
      assertEquals(List.of(file), left.toList());
    }
    assertTrue(Files.size(file) > 3);
  }

  @Test
  void aFailedWriteLeavesNothing() throws IOException {
    Path occupied = Files.createDirectories(folder.resolve("t.safetensors/inner")).getParent();
    Tensor tensor = Tensor.of("a", "U8", MemorySegment.ofArray(new byte[] {9}), 1);
    assertThrows(IOException.class, () -> SafetensorsWriter.write(occupied, List.of(tensor)));
    try (Stream<Path> left = Files.list(folder)) {
      assertEquals(List.of(occupied), left.toList());
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "[]|header has START_ARRAY at byte 0, expected an object of tensors",
        "{\"a\":1}|header has VALUE_NUMBER_INT at byte 5, expected an object for 'a'",
        "{\"a\":{}}|tensor 'a', expected dtype, shape and two data_offsets",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}"
            + "|tensor 'a', expected dtype, shape and two data_offsets",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}"
            + "|header has VALUE_NUMBER_INT at byte 29, expected whole numbers from 0 to 2^63-1 in"
            + " shape of 'a'",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,8]}}"
            + "|header has VALUE_NUMBER_INT at byte 29, expected whole numbers from 0 to 2^63-1 in"
            + " shape of 'a'",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,12]}}"
            + "|tensor 'a' has data_offsets=[0, 12], expected an ascending range within the 8 bytes"
            + " of data; the file may be truncated",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}"
            + "|tensor 'a' has data_offsets=[8, 0], expected an ascending range within the 8 bytes"
            + " of data; the file may be truncated",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}"
            + "|tensor 'a' is F32 [3] but has 8 bytes of data, expected the product of its shape",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,8]}}"
            + "|tensor 'a' is F32 [4611686018427387904, 4] but has 8 bytes of data, expected the"
            + " product of its shape",
        "{\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[4,8]}}"
            + "|tensor 'a' begins at 4, expected 0: tensors follow each other without gap or"
            + " overlap",
        "{\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]},"
            + "\"b\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":[2,8]}}"
            + "|tensor 'b' begins at 2, expected 4: tensors follow each other without gap or"
            + " overlap",
        "{\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]}}"
            + "|tensors cover 4 bytes, expected all 8 bytes of data",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}} {}"
            + "|header goes on after its object, expected padding",
      })
  void aHeaderThatDoesNotAddUpIsRefused(String json, String problem) throws IOException {
    Path file = file(json.getBytes(UTF_8).length, json, 8);
    assertEquals(file + ": " + problem, refusal(file));
  }

  @Test
  void aNameThatOccursTwiceIsRefused() throws IOException {
    String tensor = "\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":";
    String json = "{" + tensor + "[0,4]}," + tensor + "[4,8]}}";
    Path file = file(json.length(), json, 8);
    assertEquals(file + ": tensor 'a' occurs twice, expected each name once", refusal(file));
  }

  @Test
  void textThatIsNotJsonIsRefused() throws IOException {
    Path file = file(9, "GGUF\0\0\0\0\0", 8);
    assertTrue(refusal(file).startsWith(file + ": header is not valid JSON: "), refusal(file));
  }

  @Test
  void aHeaderLengthBeyondTheFileIsRefused() throws IOException {
    String tail = "; the file is truncated or not safetensors";
    Path longer = file(1_000_000, "{}", 0);
    assertEquals(longer + ": header length=1000000, expected 2 to 2" + tail, refusal(longer));
    Path negative = file(-1, "{}", 0);
    assertEquals(
        negative + ": header length=18446744073709551615, expected 2 to 2" + tail,
        refusal(negative));
  }

  @Test
  void filesThatAreNoneAreNamed() throws IOException {
    Path absent = folder.resolve("absent");
    assertEquals(absent + ": no such file, expected a safetensors file", refusal(absent));
    assertEquals(folder + ": is a folder, expected a safetensors file", refusal(folder));
    Path empty = Files.createFile(folder.resolve("empty"));
    assertEquals(
        empty + ": size=0 bytes, expected at least 10: a header length and a header",
        refusal(empty));
  }

  @Test
  void aMissingTensorListsThoseThatAreThere() throws IOException {
    Path file = folder.resolve("t.safetensors");
    MemorySegment one = MemorySegment.ofArray(new byte[] {1});
    SafetensorsWriter.write(
        file, List.of(Tensor.of("keys", "U8", one, 1), Tensor.of("values", "U8", one, 1)));
    try (SafetensorsFile read = SafetensorsFile.open(file)) {
      var e = assertThrows(InvalidSafetensorsException.class, () -> read.tensor("k"));
      assertEquals(file + ": tensor 'k' is missing, found keys, values", e.getMessage());
    }
  }

  /** Whatever bytes a file has, opening it ends in tensors within it or in the one exception. */
  @Test
  void damagedFilesAreRefusedOrConsistent() throws IOException {
    Path file = folder.resolve("t.safetensors");
    SafetensorsWriter.write(
        file,
        List.of(
            Tensor.of("q", "F32", MemorySegment.ofArray(new float[12]), 3, 4),
            Tensor.of("k", "F16", MemorySegment.ofArray(new short[6]), 3, 2)));
    byte[] good = Files.readAllBytes(file);
    long seed = 20_261_124;
    Random random = new Random(seed);
    for (int round = 0; round < 2000; round++) {
      byte[] bad = good.clone();
      for (int flips = 1 + random.nextInt(3); flips > 0; flips--) {
        bad[random.nextInt(bad.length)] = (byte) random.nextInt(128);
      }
      int length = random.nextInt(4) == 0 ? random.nextInt(bad.length) : bad.length;
      Files.write(file, java.util.Arrays.copyOf(bad, length));
      try (SafetensorsFile read = SafetensorsFile.open(file)) {
        long bytes = read.tensors().values().stream().mapToLong(t -> t.data().byteSize()).sum();
        assertTrue(bytes <= length, "seed=" + seed + " round=" + round);
      } catch (InvalidSafetensorsException e) {
        assertTrue(e.getMessage().startsWith(file + ": "), "seed=" + seed + " round=" + round);
      }
    }
  }

  private static String refusal(Path file) {
    return assertThrows(InvalidSafetensorsException.class, () -> SafetensorsFile.open(file).close())
        .getMessage();
  }

  private Path file(long headerLength, String json, int dataBytes) throws IOException {
    byte[] header = json.getBytes(UTF_8);
    ByteBuffer bytes =
        ByteBuffer.allocate(Long.BYTES + header.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(headerLength).put(header);
    return Files.write(folder.resolve("bad.safetensors"), bytes.array());
  }
}
