package org.sinkq.llm.convert;

import static org.sinkq.InvalidArgumentException.require;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.LinkedHashMap;
import java.util.Map;
import org.sinkq.llm.LanguageModel;
import org.sinkq.llm.model.ModelConfig;
import org.sinkq.llm.safetensors.SafetensorsWriter;

/** Turns GGUF files into folders for Jlama. */
public final class GgufConverter {
  private GgufConverter() {}

  /**
   * Writes config.json, tokenizer.json, tokenizer_config.json and model.safetensors. Everything is
   * checked first; files of these names are replaced, each completely or not at all, the
   * configuration last.
   *
   * @param gguf a file of the llama or qwen2 architecture with a byte-level BPE vocabulary
   * @param folder where to; made if it does not exist
   * @param type element type of the matrices
   * @throws org.sinkq.llm.InvalidModelException if the file is damaged or a folder cannot say what
   *     it says
   * @throws IOException if the folder cannot be written
   */
  public static void convert(Path gguf, Path folder, WeightType type) throws IOException {
    try (LanguageModel model = LanguageModel.open(gguf, 1)) {
      ModelConfig config = ModelConfig.read(model.file());
      Map<String, byte[]> texts = new LinkedHashMap<>();
      TokenizerJson tokenizer = TokenizerJson.of(model);
      byte[] configJson = ConfigJson.of(model, config, type);
      texts.put("tokenizer.json", tokenizer.tokenizer());
      texts.put("tokenizer_config.json", tokenizer.config());
      texts.put("config.json", configJson);
      require(
          !Files.exists(folder) || Files.isDirectory(folder),
          "folder=%s, expected a folder",
          folder);
      Files.createDirectories(folder);
      SafetensorsWriter.writeSources(
          folder.resolve("model.safetensors"), WeightTensors.of(model, config, type));
      for (Map.Entry<String, byte[]> text : texts.entrySet()) {
        Path partial = folder.resolve("." + text.getKey() + ".partial");
        Files.write(partial, text.getValue());
        Files.move(partial, folder.resolve(text.getKey()), StandardCopyOption.REPLACE_EXISTING);
      }
    }
  }
}
