package example;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.module.ModuleFinder;
import java.lang.module.ModuleReference;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.sinkq.AttentionBackend;
import org.sinkq.InvalidArgumentException;
import org.sinkq.jlama.SinkqModel;
import org.sinkq.langchain4j.SinkqChatModel;
import org.sinkq.llm.LanguageModel;

/** The artifacts as they are installed, with nothing of SinkQ's own build. */
class AppTest {
  @Test
  void theCacheWorks() {
    assertEquals(300, App.append(300));
  }

  @Test
  void theIntegrationsLoad() {
    Path missing = Path.of("missing");
    for (InvalidArgumentException e :
        List.of(
            assertThrows(InvalidArgumentException.class, () -> App.model(missing)),
            assertThrows(InvalidArgumentException.class, () -> App.chat(missing)))) {
      assertEquals("model=missing, expected a folder that exists", e.getMessage());
    }
  }

  @Test
  void jarsAreModulesWithSourcesAndJavadoc() throws Exception {
    assertPublished("org.sinkq.core", AttentionBackend.class);
    assertPublished("org.sinkq.llm", LanguageModel.class);
    assertPublished("org.sinkq.jlama", SinkqModel.class);
    assertPublished("org.sinkq.langchain4j", SinkqChatModel.class);
  }

  private static void assertPublished(String module, Class<?> type) throws Exception {
    URI location = type.getProtectionDomain().getCodeSource().getLocation().toURI();
    Path jar = Path.of(location);
    ModuleReference found = ModuleFinder.of(jar).findAll().iterator().next();
    assertEquals(module, found.descriptor().name());
    assertTrue(!found.descriptor().isAutomatic(), jar + " has a module descriptor");
    for (String kind : List.of("sources", "javadoc")) {
      Path other = Path.of(jar.toString().replace(".jar", "-" + kind + ".jar"));
      assertTrue(Files.size(other) > 1000, other + " is there");
    }
  }
}
