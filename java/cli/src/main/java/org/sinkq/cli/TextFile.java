package org.sinkq.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** A text that a user names. */
final class TextFile {
  /** Where the bytes come from. */
  @FunctionalInterface
  interface Source {
    byte[] read() throws IOException;
  }

  private TextFile() {}

  /**
   * Reads a file.
   *
   * @param what the text is, such as {@code the prompt}
   * @throws CommandException if it cannot be read, is empty, or is no UTF-8
   */
  static String read(String file, String what) {
    return read(file, what, () -> Files.readAllBytes(Path.of(file)));
  }

  /** Reads what a name stands for. */
  static String read(String name, String what, Source source) {
    try {
      ByteBuffer bytes = ByteBuffer.wrap(source.read());
      String text = StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
      if (text.isEmpty()) {
        throw new CommandException(name + ": " + what + " is empty, expected a text");
      }
      return text;
    } catch (NoSuchFileException e) {
      throw new CommandException(name + ": no such file, expected one with " + what, e);
    } catch (CharacterCodingException e) {
      throw new CommandException(name + ": is not UTF-8, expected a text in UTF-8", e);
    } catch (IOException e) {
      throw new CommandException(name + ": cannot be read (" + e.getMessage() + ")", e);
    }
  }
}
