package org.sinkq.containers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Text from a model that is mounted read-only. */
@Tag("docker")
@Tag("model")
final class GenerateTest {
  private static final String[] COMMAND = {
    "generate", "--temperature=0", "--ignore-eos", "--max-tokens=48", "--json", "The history of the"
  };

  @Test
  void theOnlyModelOfTheFolderIsTaken() {
    Outcome run = container().run().succeeded();
    assertTrue(
        run.lastLine()
            .matches("\\{\"promptTokens\":4,\"generatedTokens\":48,.*\"kv\":\"sinkq2\".*"),
        run.out());
  }

  @Test
  void theModelFolderIsReadOnly() {
    container("/models/new").program("touch").user("0").run().refused("Read-only file system");
  }

  @Test
  void aLimitThatJustHoldsTheModelIsEnough() {
    container()
        .memoryMib(TestSettings.model().toFile().length() / (1 << 20) + 100)
        .run()
        .succeeded();
  }

  @Test
  void tooSmallALimitIsRefusedBeforeTheWork() {
    container().memoryMib(128).run().refused("sinkq: memory limit=128 MiB, expected at least ");
  }

  @Test
  void killedInTheMiddleItStartsAgainAndWritesTheSame() throws InterruptedException {
    String whole = text(container().run().succeeded().out());
    try (SinkqContainer container = container().start()) {
      container.awaitOutput(10);
      assertTrue(container.running(), container.stdout());
      container.kill("SIGKILL");
      assertEquals(137, container.exitCode());
      String begun = container.stdout();
      assertTrue(whole.startsWith(begun) && begun.length() < whole.length(), begun);
      Outcome again = container.restart().succeeded();
      assertEquals(begun + whole, text(again.out()));
    }
  }

  @Test
  void toldToEndItEndsAtOnce() throws InterruptedException {
    try (SinkqContainer container = container().start()) {
      container.awaitOutput(10);
      long begin = System.nanoTime();
      container.kill("SIGTERM");
      assertTrue(System.nanoTime() - begin < 5_000_000_000L, "ended after more than 5 s");
      assertTrue(container.exitCode() != 0, "ended as if it were done");
    }
  }

  /** Text without the summary, whose times differ. */
  private static String text(String out) {
    return out.substring(0, out.lastIndexOf("{\"promptTokens\""));
  }

  private static SinkqContainer container() {
    return container(COMMAND);
  }

  private static SinkqContainer container(String... command) {
    Path folder = TestSettings.model().toAbsolutePath().getParent();
    return SinkqContainer.of(command).readOnly(folder, "/models");
  }
}
