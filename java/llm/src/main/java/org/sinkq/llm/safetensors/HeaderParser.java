package org.sinkq.llm.safetensors;

import static org.sinkq.llm.safetensors.InvalidSafetensorsException.require;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Turns the JSON header into tensors, and refuses whatever does not add up. */
final class HeaderParser {
  private static final String METADATA = "__metadata__";

  /**
   * Bits of an element. Types that are not listed keep their offsets unchecked against the shape.
   */
  private static final Map<String, Integer> BITS =
      Map.ofEntries(
          Map.entry("BOOL", 8),
          Map.entry("U8", 8),
          Map.entry("I8", 8),
          Map.entry("F8_E4M3", 8),
          Map.entry("F8_E5M2", 8),
          Map.entry("I16", 16),
          Map.entry("U16", 16),
          Map.entry("F16", 16),
          Map.entry("BF16", 16),
          Map.entry("I32", 32),
          Map.entry("U32", 32),
          Map.entry("F32", 32),
          Map.entry("I64", 64),
          Map.entry("U64", 64),
          Map.entry("F64", 64));

  /** Digits of the largest long. */
  private static final int MAX_DIGITS = 19;

  private record Range(String name, long begin, long end) {}

  private final Path path;
  private final MemorySegment data;
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();
  private final List<Range> ranges = new ArrayList<>();

  HeaderParser(Path path, MemorySegment data) {
    this.path = path;
    this.data = data;
  }

  Map<String, Tensor> parse(byte[] json) {
    JsonFactory factory =
        JsonFactory.builder().disable(JsonFactory.Feature.INTERN_FIELD_NAMES).build();
    try (JsonParser parser = factory.createParser(json)) {
      expect(parser.nextToken() == JsonToken.START_OBJECT, parser, "an object of tensors");
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String name = parser.currentName();
        expect(
            parser.nextToken() == JsonToken.START_OBJECT, parser, "an object for " + quote(name));
        if (name.equals(METADATA)) {
          parser.skipChildren();
        } else {
          readTensor(parser, name);
        }
      }
      require(
          parser.nextToken() == null, path, "header goes on after its object, expected padding");
    } catch (JsonProcessingException e) {
      throw new InvalidSafetensorsException(
          path, "header is not valid JSON: " + e.getOriginalMessage(), e);
    } catch (IOException e) {
      throw new InvalidSafetensorsException(path, "header is not valid UTF-8 JSON", e);
    }
    checkCoverage();
    return tensors;
  }

  private void readTensor(JsonParser parser, String name) throws IOException {
    String dtype = null;
    List<Long> shape = null;
    List<Long> offsets = null;
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String field = parser.currentName();
      parser.nextToken();
      switch (field) {
        case "dtype" -> {
          expect(parser.hasToken(JsonToken.VALUE_STRING), parser, "a string as dtype");
          dtype = parser.getText();
        }
        case "shape" -> shape = readNumbers(parser, name, field);
        case "data_offsets" -> offsets = readNumbers(parser, name, field);
        default -> parser.skipChildren();
      }
    }
    require(
        dtype != null && shape != null && offsets != null && offsets.size() == 2,
        path,
        "tensor %s, expected dtype, shape and two data_offsets",
        quote(name));
    long begin = offsets.get(0);
    long end = offsets.get(1);
    require(
        begin <= end && end <= data.byteSize(),
        path,
        "tensor %s has data_offsets=[%d, %d], expected an ascending range within the %d bytes of"
            + " data; the file may be truncated",
        quote(name),
        begin,
        end,
        data.byteSize());
    checkLength(name, dtype, shape, end - begin);
    ranges.add(new Range(name, begin, end));
    Tensor tensor = new Tensor(name, dtype, shape, data.asSlice(begin, end - begin));
    require(
        tensors.putIfAbsent(name, tensor) == null,
        path,
        "tensor %s occurs twice, expected each name once",
        quote(name));
  }

  private List<Long> readNumbers(JsonParser parser, String name, String field) throws IOException {
    List<Long> numbers = new ArrayList<>();
    expect(
        parser.hasToken(JsonToken.START_ARRAY),
        parser,
        "an array as " + field + " of " + quote(name));
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      expect(
          parser.hasToken(JsonToken.VALUE_NUMBER_INT)
              && parser.getTextLength() <= MAX_DIGITS
              && parser.getNumberType() != JsonParser.NumberType.BIG_INTEGER
              && parser.getLongValue() >= 0,
          parser,
          "whole numbers from 0 to 2^63-1 in " + field + " of " + quote(name));
      numbers.add(parser.getLongValue());
    }
    return numbers;
  }

  private void checkLength(String name, String dtype, List<Long> shape, long length) {
    Integer bits = BITS.get(dtype);
    if (bits == null) {
      return;
    }
    long bytes = bits / Byte.SIZE;
    boolean fits = true;
    try {
      for (long extent : shape) {
        bytes = Math.multiplyExact(bytes, extent);
      }
    } catch (ArithmeticException e) {
      fits = false;
    }
    require(
        fits && bytes == length,
        path,
        "tensor %s is %s %s but has %d bytes of data, expected the product of its shape",
        quote(name),
        dtype,
        shape,
        length);
  }

  /** The data section belongs to exactly one tensor each byte. */
  private void checkCoverage() {
    ranges.sort(Comparator.comparingLong(Range::begin).thenComparingLong(Range::end));
    long at = 0;
    for (Range range : ranges) {
      require(
          range.begin == at,
          path,
          "tensor %s begins at %d, expected %d: tensors follow each other without gap or overlap",
          quote(range.name),
          range.begin,
          at);
      at = range.end;
    }
    require(
        at == data.byteSize(),
        path,
        "tensors cover %d bytes, expected all %d bytes of data",
        at,
        data.byteSize());
  }

  private void expect(boolean condition, JsonParser parser, String what) {
    require(
        condition,
        path,
        "header has %s at byte %d, expected %s",
        parser.currentToken() == null ? "its end" : parser.currentToken(),
        parser.getTokenLocation().getByteOffset(),
        what);
  }

  /** Names come from the file: shortened and without control characters. */
  private static String quote(String name) {
    String shown = name.length() > 60 ? name.substring(0, 57) + "..." : name;
    return "'" + shown.replaceAll("\\p{Cntrl}", "?") + "'";
  }
}
