package org.sinkq.containers;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A container that was given too little says what, and how to get it. */
@Tag("docker")
final class BadInputTest {
  private static final String HOW =
      "mount a folder of GGUF files: docker run --volume FOLDER:/models:ro";

  @TempDir Path folder;

  @Test
  void noModelFolder() {
    generate("hello").run().refused("sinkq: /models: no such folder, expected the models; " + HOW);
  }

  @Test
  void emptyModelFolder() throws IOException {
    permit(folder, "rwxr-xr-x");
    generate("hello")
        .readOnly(folder, "/models")
        .run()
        .refused("sinkq: /models: empty, expected a model (*.gguf); " + HOW);
  }

  @Test
  void unreadableModelFolder() throws IOException {
    permit(folder, "rwx------");
    generate("hello")
        .readOnly(folder, "/models")
        .run()
        .refused(
            "sinkq: /models: not readable for user 10001, expected a folder that everyone may read;"
                + " chmod a+rX it on the host, or start the container with --user");
  }

  @Test
  void unreadableModel() throws IOException {
    permit(folder, "rwxr-xr-x");
    permit(Files.writeString(folder.resolve("a.gguf"), "GGUF"), "rw-------");
    generate("hello")
        .readOnly(folder, "/models")
        .run()
        .refused("sinkq: /models/a.gguf: not readable for user 10001; chmod a+r it on the host");
  }

  @Test
  void severalModels() throws IOException {
    permit(folder, "rwxr-xr-x");
    Files.writeString(folder.resolve("a.gguf"), "GGUF");
    Files.writeString(folder.resolve("b.gguf"), "GGUF");
    generate("hello")
        .readOnly(folder, "/models")
        .run()
        .refused(
            "sinkq: /models: 2 models, expected --model with one of /models/a.gguf /models/b.gguf");
  }

  @Test
  void aModelThatIsNotThere() {
    generate("--model=/models/none.gguf", "hello").run().refused("/models/none.gguf: no such file");
  }

  @Test
  void tooLittleMemory() {
    SinkqContainer.of("doctor")
        .memoryMib(32)
        .run()
        .refused(
            "sinkq: memory limit=32 MiB, expected at least 96 MiB for any command; start the"
                + " container with --memory 96m or more");
  }

  private static SinkqContainer generate(String... arguments) {
    String[] command = new String[arguments.length + 1];
    command[0] = "generate";
    System.arraycopy(arguments, 0, command, 1, arguments.length);
    return SinkqContainer.of(command);
  }

  private static void permit(Path path, String permissions) throws IOException {
    Files.setPosixFilePermissions(path, PosixFilePermissions.fromString(permissions));
  }
}
