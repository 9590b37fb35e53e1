package org.sinkq.llm.text;

import static org.sinkq.llm.InvalidModelException.require;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import org.sinkq.llm.gguf.GgufFile;
import org.sinkq.llm.gguf.GgufMetadata;

/** The tokens of a GGUF file and the ids that have a role; everything is checked when read. */
final class Vocabulary {
  /** Ids take 21 bits in a {@link MergeTable}. */
  static final int MAX_SIZE = 1 << 21;

  /** Values of tokenizer.ggml.token_type. */
  private static final int NORMAL = 1;

  private static final int UNKNOWN = 2;
  private static final int CONTROL = 3;
  private static final int USER_DEFINED = 4;

  private static final String KEY = "tokenizer.ggml.";

  /**
   * Control tokens that end a turn or a text in the model families at hand. Files often name one of
   * them as the end of sequence and leave the others out.
   */
  private static final Set<String> END_OF_GENERATION =
      Set.of(
          "<|im_end|>",
          "<|endoftext|>",
          "<|eot_id|>",
          "<|eom_id|>",
          "<|end_of_text|>",
          "<|end|>",
          "<end_of_turn>",
          "<EOT>");

  private final Path file;
  private final GgufMetadata metadata;
  private final List<String> tokens;
  private final int[] types;
  private final Map<String, Integer> ids;
  private final Set<Integer> endOfGeneration;

  Vocabulary(GgufFile gguf) {
    file = gguf.path();
    metadata = gguf.metadata();
    tokens = metadata.strings(KEY + "tokens");
    require(
        !tokens.isEmpty() && tokens.size() <= MAX_SIZE,
        file,
        "tokenizer.ggml.tokens has %d entries, expected 1 to %d",
        tokens.size(),
        MAX_SIZE);
    types = metadata.findIntegers(KEY + "token_type").orElseGet(this::allNormal);
    require(
        types.length == tokens.size(),
        file,
        "tokenizer.ggml.token_type has %d entries, expected %d (one for each token)",
        types.length,
        tokens.size());
    ids = HashMap.newHashMap(tokens.size());
    for (int id = 0; id < tokens.size(); id++) {
      ids.putIfAbsent(tokens.get(id), id);
    }
    endOfGeneration = findEndOfGeneration();
  }

  private int[] allNormal() {
    int[] all = new int[tokens.size()];
    Arrays.fill(all, NORMAL);
    return all;
  }

  private Set<Integer> findEndOfGeneration() {
    Set<Integer> found = new HashSet<>();
    for (String role : List.of("eos", "eot", "eom")) {
      role(role).ifPresent(found::add);
    }
    for (String text : END_OF_GENERATION) {
      int id = id(text);
      if (id >= 0 && !isNormal(id)) {
        found.add(id);
      }
    }
    return Set.copyOf(found);
  }

  Path file() {
    return file;
  }

  int size() {
    return tokens.size();
  }

  String text(int id) {
    return tokens.get(id);
  }

  /** Whether a token is text that merging can produce. */
  boolean isNormal(int id) {
    return types[id] == NORMAL;
  }

  /** Whether a token has a meaning of its own and stands for no text. */
  boolean isControl(int id) {
    return types[id] == CONTROL || types[id] == UNKNOWN;
  }

  /** Whether a token stands for its text and is never merged. */
  boolean isUserDefined(int id) {
    return types[id] == USER_DEFINED;
  }

  /** The id of a token's text as it stands in the file, or -1. */
  int id(String text) {
    return ids.getOrDefault(text, -1);
  }

  /** The id that has a role, such as {@code bos}. */
  OptionalInt role(String role) {
    String key = KEY + role + "_token_id";
    OptionalInt id = metadata.findInteger(key);
    if (id.isPresent()) {
      require(
          id.getAsInt() >= 0 && id.getAsInt() < size(),
          file,
          "%s=%d, expected 0 to %d",
          key,
          id.getAsInt(),
          size() - 1);
    }
    return id;
  }

  Set<Integer> endOfGeneration() {
    return endOfGeneration;
  }

  /** The kind of tokenizer. */
  String model() {
    return metadata.string(KEY + "model");
  }

  /** The pre-tokenizer; files from before the entry existed mean {@code default}. */
  String preTokenizer() {
    return metadata.findString(KEY + "pre").orElse("default");
  }

  boolean flag(String name, boolean otherwise) {
    return metadata.findBool(KEY + name).orElse(otherwise);
  }

  /** Pairs {@code "left right"}, the first to be merged first. */
  List<String> merges() {
    return metadata.strings(KEY + "merges");
  }

  /** [size] the higher, the sooner a piece is put together. */
  float[] scores() {
    float[] scores = metadata.floats(KEY + "scores");
    require(
        scores.length == size(),
        file,
        "tokenizer.ggml.scores has %d entries, expected %d (one for each token)",
        scores.length,
        size());
    return scores;
  }
}
