/**
 * Text in and out: the tokenizer of a GGUF file's own vocabulary, and its chat template.
 *
 * <pre>
 *   messages ──► ChatTemplate ──► prompt with special tokens written out ─┐ encodeMarkup
 *   user text ────────────────────────────────────────────────────────────┤ encode
 *                                                                         ▼
 *   Tokenizer    SpecialTokens: "&lt;|im_start|&gt;" ──────────────────────► id
 *                the rest ──► ByteLevelModel      PreTokenizer ► words ► bytes ─┐
 *                         └─► SentencePieceModel  "▁" for " " ► characters ─────┤
 *                                                        MergeTable: pairs ► ids ◄┘
 *   ids ──► StreamDecoder ──► complete characters
 * </pre>
 *
 * <p>The tokenizer is our own because no library takes a GGUF vocabulary: jtokkit derives merges
 * from token ids, which is wrong for vocabularies with a merge list, and has no SentencePiece; the
 * DJL tokenizers want a tokenizer.json, which GGUF does not carry, and download native code.
 */
package org.sinkq.llm.text;
