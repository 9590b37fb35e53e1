package org.sinkq.llm.text;

import static org.sinkq.llm.InvalidModelException.require;

import java.util.List;
import org.sinkq.llm.gguf.GgufFile;

/** The parts of a byte-level BPE vocabulary, for those who write it in another format. */
public final class BytePairVocabulary {
  private final Vocabulary vocabulary;
  private final List<String> tokens;
  private final List<String> merges;
  private final PreTokenizer preTokenizer;

  private BytePairVocabulary(GgufFile file) {
    vocabulary = new Vocabulary(file);
    require(
        vocabulary.model().equals("gpt2"),
        file.path(),
        "tokenizer.ggml.model=%s, expected gpt2: only byte-level BPE can be converted",
        vocabulary.model());
    tokens = file.metadata().strings("tokenizer.ggml.tokens");
    merges = file.metadata().strings("tokenizer.ggml.merges");
    preTokenizer = PreTokenizer.named(vocabulary.preTokenizer(), file.path());
  }

  /**
   * Reads the vocabulary of a file.
   *
   * @throws org.sinkq.llm.InvalidModelException if it is damaged or not byte-level BPE
   */
  public static BytePairVocabulary of(GgufFile file) {
    return new BytePairVocabulary(file);
  }

  /** Tokens by id, bytes that are not printable written as in GPT-2. */
  public List<String> tokens() {
    return tokens;
  }

  /** Pairs to merge, {@code "left right"}, the first of them first. */
  public List<String> merges() {
    return merges;
  }

  /** Whether a token is text that merging can produce. */
  public boolean isText(int id) {
    return vocabulary.isNormal(id);
  }

  /** Whether a token stands for no text. */
  public boolean isControl(int id) {
    return vocabulary.isControl(id);
  }

  /** Regular expressions that cut text into words, each in what the ones before have left. */
  public List<String> wordPatterns() {
    return preTokenizer.sources();
  }

  /** Whether a word that is a token is taken as it is, without merging. */
  public boolean takesWholeWords() {
    return preTokenizer.takesWholeWords();
  }
}
