package org.sinkq.llm.convert;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.sinkq.llm.LanguageModel;
import org.sinkq.llm.gguf.GgufFile;
import org.sinkq.llm.text.BytePairVocabulary;

/**
 * A vocabulary as tokenizer.json and tokenizer_config.json have it.
 *
 * @param tokenizer vocabulary, merges, special tokens and the patterns that cut text into words
 * @param config chat template and the names of the special tokens
 */
@SuppressWarnings("ArrayRecordComponent") // Bytes on their way to a file.
record TokenizerJson(byte[] tokenizer, byte[] config) {

  /**
   * The two files.
   *
   * @throws org.sinkq.llm.InvalidModelException if the vocabulary is not byte-level BPE
   */
  static TokenizerJson of(LanguageModel model) throws IOException {
    BytePairVocabulary vocabulary = BytePairVocabulary.of(model.file());
    return new TokenizerJson(tokenizer(vocabulary), config(model, vocabulary));
  }

  private static byte[] tokenizer(BytePairVocabulary vocabulary) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JsonGenerator out = new JsonFactory().createGenerator(bytes)) {
      out.writeStartObject();
      out.writeStringField("version", "1.0");
      out.writeArrayFieldStart("added_tokens");
      for (int id = 0; id < vocabulary.tokens().size(); id++) {
        if (!vocabulary.isText(id)) {
          addedToken(out, vocabulary, id);
        }
      }
      out.writeEndArray();
      out.writeNullField("normalizer");
      out.writeObjectFieldStart("pre_tokenizer");
      out.writeStringField("type", "Sequence");
      out.writeArrayFieldStart("pretokenizers");
      for (String pattern : vocabulary.wordPatterns()) {
        split(out, pattern);
      }
      byteLevel(out);
      out.writeEndArray();
      out.writeEndObject();
      out.writeNullField("post_processor");
      out.writeFieldName("decoder");
      byteLevel(out);
      model(out, vocabulary);
      out.writeEndObject();
    }
    return bytes.toByteArray();
  }

  private static void addedToken(JsonGenerator out, BytePairVocabulary vocabulary, int id)
      throws IOException {
    out.writeStartObject();
    out.writeNumberField("id", id);
    out.writeStringField("content", vocabulary.tokens().get(id));
    for (String flag : List.of("single_word", "lstrip", "rstrip", "normalized")) {
      out.writeBooleanField(flag, false);
    }
    out.writeBooleanField("special", vocabulary.isControl(id));
    out.writeEndObject();
  }

  private static void split(JsonGenerator out, String pattern) throws IOException {
    out.writeStartObject();
    out.writeStringField("type", "Split");
    out.writeObjectFieldStart("pattern");
    // The u of Java is the default of the libraries that read this.
    out.writeStringField("Regex", pattern.replace("(?iu:", "(?i:"));
    out.writeEndObject();
    out.writeStringField("behavior", "Isolated");
    out.writeBooleanField("invert", false);
    out.writeEndObject();
  }

  private static void byteLevel(JsonGenerator out) throws IOException {
    out.writeStartObject();
    out.writeStringField("type", "ByteLevel");
    out.writeBooleanField("add_prefix_space", false);
    out.writeBooleanField("trim_offsets", true);
    out.writeBooleanField("use_regex", false);
    out.writeEndObject();
  }

  private static void model(JsonGenerator out, BytePairVocabulary vocabulary) throws IOException {
    out.writeObjectFieldStart("model");
    out.writeStringField("type", "BPE");
    out.writeNullField("unk_token");
    out.writeBooleanField("fuse_unk", false);
    out.writeBooleanField("byte_fallback", false);
    out.writeBooleanField("ignore_merges", vocabulary.takesWholeWords());
    out.writeObjectFieldStart("vocab");
    Set<String> written = new HashSet<>();
    for (int id = 0; id < vocabulary.tokens().size(); id++) {
      String token = vocabulary.tokens().get(id);
      if (written.add(token)) {
        out.writeNumberField(token, id);
      }
    }
    out.writeEndObject();
    out.writeArrayFieldStart("merges");
    for (String merge : vocabulary.merges()) {
      out.writeString(merge);
    }
    out.writeEndArray();
    out.writeEndObject();
  }

  private static byte[] config(LanguageModel model, BytePairVocabulary vocabulary)
      throws IOException {
    GgufFile file = model.file();
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JsonGenerator out = new JsonFactory().createGenerator(bytes).useDefaultPrettyPrinter()) {
      out.writeStartObject();
      out.writeStringField("tokenizer_class", "PreTrainedTokenizerFast");
      out.writeNumberField("model_max_length", model.info().contextLength());
      for (String role : List.of("bos", "eos")) {
        OptionalInt id = file.metadata().findInteger("tokenizer.ggml." + role + "_token_id");
        if (id.isPresent()) {
          out.writeStringField(role + "_token", vocabulary.tokens().get(id.getAsInt()));
        }
      }
      Optional<String> template = file.metadata().findString("tokenizer.chat_template");
      if (template.isPresent()) {
        out.writeStringField("chat_template", template.get());
      }
      out.writeEndObject();
    }
    return bytes.toByteArray();
  }
}
