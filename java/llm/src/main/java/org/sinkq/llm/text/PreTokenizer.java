package org.sinkq.llm.text;

import static java.util.stream.Collectors.joining;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.sinkq.llm.InvalidModelException;

/**
 * How byte-level BPE cuts text into words, which no merge crosses. Each pattern in turn cuts the
 * parts that the ones before have left; what lies between two matches is a part as well.
 *
 * <p>The patterns are those that the model families were trained with, with {@code \s} spelled out
 * as the Unicode property: Java's own is ASCII.
 */
@SuppressWarnings("ImmutableEnumChecker") // Both lists are unmodifiable, which the type cannot say.
enum PreTokenizer {
  /** What files without an entry, or with this one, have always been read with. */
  DEFAULT(
      List.of("default"), false, "[\\p{P}$+<=>^~|]+", Patterns.GPT2, "\\p{N}+", "[0-9][0-9][0-9]"),

  GPT2(List.of("gpt-2"), false, Patterns.GPT2),

  /** Every digit by itself, then as GPT-2. */
  SMOLLM(List.of("smollm", "starcoder"), false, "\\p{N}", Patterns.GPT2),

  /** Up to three digits together. */
  LLAMA3(
      List.of("llama-bpe", "llama3", "llama-v3"),
      true,
      Patterns.CONTRACTION
          + "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
          + "|\\p{N}{1,3}"
          + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
          + Patterns.WHITESPACE),

  QWEN2(
      List.of("qwen2", "deepseek-r1-qwen"),
      false,
      Patterns.CONTRACTION
          + "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
          + "|\\p{N}"
          + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
          + Patterns.WHITESPACE),

  /** Mistral since Nemo: a word also ends before an upper-case letter. */
  TEKKEN(
      List.of("tekken"),
      true,
      "[^\\r"
          + "\\n"
          + "\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|[^\\r"
          + "\\n"
          + "\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|\\p{N}|"
          + " ?[^\\s\\p{L}\\p{N}]+[\\r"
          + "\\n"
          + "/]*"
          + Patterns.WHITESPACE);

  /** Pieces that several of the patterns share. */
  private static final class Patterns {
    static final String GPT2 =
        "'s|'t|'re|'ve|'m|'ll|'d" + "| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
    static final String CONTRACTION = "(?iu:'s|'t|'re|'ve|'m|'ll|'d)";
    static final String WHITESPACE = "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  }

  private final List<String> names;
  private final boolean wholeWords;
  private final List<String> sources;
  private final List<Pattern> patterns;

  PreTokenizer(List<String> names, boolean wholeWords, String... patterns) {
    this.names = List.copyOf(names);
    this.wholeWords = wholeWords;
    sources = List.of(patterns);
    this.patterns =
        Arrays.stream(patterns)
            .map(p -> p.replace("\\s", "\\p{IsWhite_Space}").replace("\\S", "\\P{IsWhite_Space}"))
            .map(Pattern::compile)
            .toList();
  }

  /**
   * The pre-tokenizer of a name in tokenizer.ggml.pre.
   *
   * @throws InvalidModelException if it is none of the known ones
   */
  static PreTokenizer named(String name, Path file) {
    return Arrays.stream(values())
        .filter(p -> p.names.contains(name))
        .findFirst()
        .orElseThrow(
            () ->
                new InvalidModelException(
                    file, "tokenizer.ggml.pre=" + name + ", expected one of " + known()));
  }

  private static String known() {
    return Arrays.stream(values()).flatMap(p -> p.names.stream()).collect(joining(", "));
  }

  /** Whether a word that is a token is taken as it is, without merging. */
  boolean takesWholeWords() {
    return wholeWords;
  }

  /** The patterns as they are published: {@code \s} is white space of any script. */
  List<String> sources() {
    return sources;
  }

  /** Passes on the words of a text, in order; together they are the text. */
  void split(String text, Consumer<String> words) {
    split(text, 0, words);
  }

  private void split(String text, int level, Consumer<String> words) {
    if (level == patterns.size()) {
      words.accept(text);
      return;
    }
    Matcher matcher = patterns.get(level).matcher(text);
    int end = 0;
    while (matcher.find()) {
      if (matcher.start() > end) {
        split(text.substring(end, matcher.start()), level + 1, words);
      }
      split(matcher.group(), level + 1, words);
      end = matcher.end();
    }
    if (end < text.length()) {
      split(text.substring(end), level + 1, words);
    }
  }
}
