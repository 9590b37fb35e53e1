package org.sinkq.llm.text;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.sinkq.llm.gguf.GgufFile;
import org.sinkq.llm.gguf.GgufWriter;

/** Reads what tokenizer_expectations.py and template_expectations.py have written. */
public final class Fixtures {
  /** Ids that a text has, literal or with control tokens in it. */
  record Expected(boolean markup, int[] ids, String text) {
    int[] encode(Tokenizer tokenizer) {
      return markup ? tokenizer.encodeMarkup(text, false) : tokenizer.encode(text, false);
    }

    @Override
    public String toString() {
      return (markup ? "markup " : "literal ") + text;
    }
  }

  private Fixtures() {}

  /** The rows of a resource beside this class, as unescaped fields. */
  static Stream<List<String>> rows(String resource) {
    try (InputStream in = Fixtures.class.getResourceAsStream(resource)) {
      return new String(in.readAllBytes(), StandardCharsets.US_ASCII)
          .lines()
          .map(line -> Arrays.stream(line.split("\t", -1)).map(Fixtures::unescape).toList());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String unescape(String field) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < field.length(); i++) {
      if (field.charAt(i) == '\\') {
        text.append((char) Integer.parseInt(field.substring(i + 2, i + 6), 16));
        i += 5;
      } else {
        text.append(field.charAt(i));
      }
    }
    return text.toString();
  }

  /** The last three fields of a row. */
  static Expected expected(List<String> row) {
    int n = row.size();
    int[] ids =
        Arrays.stream(row.get(n - 2).split(" "))
            .filter(s -> !s.isEmpty())
            .mapToInt(Integer::parseInt)
            .toArray();
    return new Expected(row.get(n - 3).equals("markup"), ids, row.get(n - 1));
  }

  /** The small byte-level vocabulary, without the name of a pre-tokenizer. */
  public static GgufWriter byteLevel() {
    List<String> tokens = new ArrayList<>();
    List<Integer> types = new ArrayList<>();
    List<String> merges = new ArrayList<>();
    rows("byte-level.txt")
        .forEach(
            row -> {
              if (row.get(0).equals("merge")) {
                merges.add(row.get(1) + " " + row.get(2));
              } else {
                types.add(Integer.valueOf(row.get(0)));
                tokens.add(row.get(1));
              }
            });
    return new GgufWriter()
        .string("tokenizer.ggml.model", "gpt2")
        .strings("tokenizer.ggml.tokens", tokens)
        .int32s("tokenizer.ggml.token_type", ints(types))
        .strings("tokenizer.ggml.merges", merges)
        .uint32("tokenizer.ggml.bos_token_id", tokens.indexOf("<|im_start|>"))
        .uint32("tokenizer.ggml.eos_token_id", tokens.indexOf("<|im_end|>"));
  }

  /** The small SentencePiece vocabulary. */
  static GgufWriter sentencePiece() {
    List<List<String>> rows = rows("sentencepiece.txt").toList();
    List<String> tokens = rows.stream().map(row -> row.get(2)).toList();
    float[] scores = new float[rows.size()];
    for (int i = 0; i < scores.length; i++) {
      scores[i] = Float.parseFloat(rows.get(i).get(1));
    }
    return new GgufWriter()
        .string("tokenizer.ggml.model", "llama")
        .strings("tokenizer.ggml.tokens", tokens)
        .float32s("tokenizer.ggml.scores", scores)
        .int32s(
            "tokenizer.ggml.token_type",
            rows.stream().mapToInt(row -> Integer.parseInt(row.get(0))).toArray())
        .uint32("tokenizer.ggml.bos_token_id", tokens.indexOf("<s>"))
        .uint32("tokenizer.ggml.eos_token_id", tokens.indexOf("</s>"));
  }

  /** Writes a file into the folder and reads its tokenizer. */
  public static Tokenizer open(GgufWriter writer, Path folder) {
    try (GgufFile file = GgufFile.open(writer.write(folder.resolve("tokenizer.gguf")))) {
      return Tokenizer.of(file);
    }
  }

  private static int[] ints(List<Integer> values) {
    return values.stream().mapToInt(Integer::intValue).toArray();
  }

  /** Random well-formed text of all kinds of characters. */
  static String randomText(java.util.random.RandomGenerator random) {
    int[] starts = {' ', 'a', '0', 0x80, 0x300, 0x600, 0x2000, 0x4E00, 0xFE00, 0x1F300, 0xF0000};
    StringBuilder text = new StringBuilder();
    for (int n = random.nextInt(40); n > 0; n--) {
      int c = starts[random.nextInt(starts.length)] + random.nextInt(64);
      text.appendCodePoint(random.nextInt(8) == 0 ? "\n\t\r '".codePointAt(random.nextInt(5)) : c);
    }
    return text.toString();
  }
}
