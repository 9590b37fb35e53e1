package org.sinkq.langchain4j;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.sinkq.llm.convert.GgufConverter;
import org.sinkq.llm.convert.WeightType;

/** The example of the guide, as it stands there, on real weights. */
class ChatExampleTest {
  private static final Path SOURCE =
      Path.of("src/test/java/org/sinkq/langchain4j/ChatExample.java");

  @Test
  void theGuideShowsIt() throws IOException {
    String source = Files.readString(SOURCE);
    String shown = source.substring(source.indexOf("public final class ChatExample")).strip();
    String guide = Files.readString(Path.of("../../docs/hosting.md"));
    assertTrue(guide.contains("```java\n" + shown + "\n```"), "docs/hosting.md lacks\n" + shown);
  }

  @Test
  @Tag("model")
  void itRuns(@TempDir Path folder) throws IOException {
    GgufConverter.convert(Path.of(System.getProperty("sinkq.model")), folder, WeightType.F16);
    PrintStream terminal = System.out;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
    try {
      ChatExample.main(
          new String[] {
            folder.toString(), "What is the capital of France?", "And what is it famous for?"
          });
    } finally {
      System.setOut(terminal);
    }
    String text = printed.toString(StandardCharsets.UTF_8);
    assertTrue(text.contains("Paris"), text);
    assertTrue(text.contains("BackendStats[sequences=1,"), text);
    System.out.println(text);
  }
}
