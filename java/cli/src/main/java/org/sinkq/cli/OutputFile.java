package org.sinkq.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A file that a command writes when its work is done. */
final class OutputFile {
  private OutputFile() {}

  /**
   * Finds out before the work whether its result has a place to go.
   *
   * @param name what the command line calls the file
   * @throws CommandException if it has not
   */
  static void check(Path file, String name) {
    Path folder = file.toAbsolutePath().getParent();
    if (folder == null || !Files.isDirectory(folder)) {
      throw new CommandException(file + ": no such folder, expected an existing one for " + name);
    }
    if (Files.isDirectory(file)) {
      throw new CommandException(file + ": is a folder, expected the name of a file for " + name);
    }
    if (!Files.isWritable(folder) || (Files.exists(file) && !Files.isWritable(file))) {
      throw new CommandException(file + ": cannot write to its folder, expected a writable one");
    }
  }

  /** Writes a text; an existing file is replaced. */
  static void write(Path file, String text) {
    try {
      Files.writeString(file, text);
    } catch (IOException e) {
      throw new CommandException(file + ": cannot be written (" + e.getMessage() + ")", e);
    }
  }
}
