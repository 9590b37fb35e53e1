package org.sinkq.llm.text;

import java.util.function.IntConsumer;

/** The part of a tokenizer that splits plain text, without special tokens, into ids. */
sealed interface SubwordModel permits ByteLevelModel, SentencePieceModel {
  /**
   * Passes on the ids of a text.
   *
   * @param text well-formed and not empty
   * @param atStart whether it stands at the start of the input or after a special token
   */
  void encode(String text, boolean atStart, IntConsumer out);

  /** The bytes that a token stands for; those of one token need not be complete UTF-8. */
  byte[] bytes(int id);

  /** Whether encoding puts a space in front that decoding takes away. */
  boolean addsSpacePrefix();

  /** Whether a text gets a beginning-of-sequence token where the file does not say. */
  boolean addsBosByDefault();
}
