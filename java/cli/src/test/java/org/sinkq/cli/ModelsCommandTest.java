package org.sinkq.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.sinkq.cli.models.ModelStore;
import org.sinkq.cli.models.ModelStores;

final class ModelsCommandTest {
  private static final String LINE = System.lineSeparator();

  @TempDir Path temp;

  @Test
  void listTellsWhatIsThere() {
    ModelStore store = ModelStores.working(temp);
    Cli before = Cli.run(store, "models");
    assertEquals(
        "tiny  1.4 KiB  Apache-2.0  "
            + store.path()
            + ": not fetched; run 'sinkq models fetch'"
            + LINE,
        before.out());
    Cli fetch = Cli.run(store, "models", "fetch");
    assertEquals(store.path() + LINE, fetch.out());
    assertEquals(0, fetch.code());
    assertEquals(
        "tiny  1.4 KiB  Apache-2.0  " + store.path() + LINE,
        Cli.run(store, "models", "list").out());
    Cli json = Cli.run(store, "models", "list", "--json");
    assertTrue(
        json.out().startsWith("{\"models\":[{\"name\":\"tiny\",\"state\":\"present\","),
        json.out());
  }

  @Test
  void pathAndVerifyNeedTheModel() throws IOException {
    ModelStore store = ModelStores.working(temp);
    for (String command : new String[] {"path", "verify"}) {
      Cli run = Cli.run(store, "models", command);
      assertEquals(1, run.code());
      assertTrue(
          run.err().startsWith("sinkq: " + store.path() + ": not fetched")
              && run.err().contains("run 'sinkq models fetch'"),
          run.err());
    }
    Cli.run(store, "models", "fetch");
    assertEquals(store.path() + LINE, Cli.run(store, "models", "path").out());
    assertTrue(Cli.run(store, "models", "verify").out().contains(": intact, SHA-256 "));
    Files.writeString(store.path(), "half");
    Cli damaged = Cli.run(store, "models", "path");
    assertEquals(1, damaged.code());
    assertEquals(
        "sinkq: " + store.path() + ": damaged; run 'sinkq models fetch' to replace it" + LINE,
        damaged.err());
  }

  @Test
  void aFetchThatFailsIsOneLine() {
    Cli run = Cli.run(ModelStores.unreachable(temp), "models", "fetch");
    assertEquals(1, run.code());
    assertEquals("sinkq: cannot fetch tiny==1.0: no network here" + LINE, run.err());
    assertEquals("", run.out());
  }

  @Test
  void convertNeedsAModelAndAKnownType() {
    ModelStore store = ModelStores.working(temp);
    Cli absent = Cli.run(store, "models", "convert", temp.resolve("out").toString());
    assertEquals(1, absent.code());
    assertTrue(absent.err().contains(": not fetched; run 'sinkq models fetch'"), absent.err());
    Cli type = Cli.run(store, "models", "convert", "--weights", "q4", "out");
    assertEquals(2, type.code());
    assertTrue(type.err().contains("'q4', expected f32, f16 or bf16"), type.err());
    Path missing = temp.resolve("missing.gguf");
    Cli model = Cli.run(store, "models", "convert", "--model", missing.toString(), "out");
    assertEquals("sinkq: " + missing + ": no such file, expected a GGUF file" + LINE, model.err());
  }
}
