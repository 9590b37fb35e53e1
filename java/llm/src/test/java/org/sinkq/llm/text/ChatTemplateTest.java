package org.sinkq.llm.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.sinkq.InvalidArgumentException;
import org.sinkq.llm.InvalidModelException;
import org.sinkq.llm.gguf.GgufFile;

class ChatTemplateTest {
  private static final List<ChatMessage> HELLO = List.of(ChatMessage.user("Hello"));

  private static ChatTemplate template(String source) {
    return new ChatTemplate(
        source, "<s>", "</s>", Clock.fixed(Instant.parse("2024-02-29T12:00:00Z"), ZoneOffset.UTC));
  }

  private static ChatTemplate resource(String name) throws IOException {
    try (InputStream in =
        ChatTemplateTest.class.getResourceAsStream("templates/" + name + ".jinja")) {
      return template(new String(in.readAllBytes(), StandardCharsets.UTF_8));
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"chatml", "default-system", "llama3", "mistral", "qwen2", "qwen3", "whitespace"})
  void agreesWithJinja(String name) throws IOException {
    ChatTemplate template = resource(name);
    List<List<String>> rows =
        Fixtures.rows("template-expected.txt").filter(row -> row.get(0).equals(name)).toList();
    assertEquals(16, rows.size());
    rows.forEach(row -> assertAgrees(row, template));
  }

  /** Compares with one row of an expectation file. */
  static void assertAgrees(List<String> row, ChatTemplate template) {
    List<ChatMessage> messages = new ArrayList<>();
    for (int i = 4; i < row.size(); i += 2) {
      messages.add(new ChatMessage(row.get(i), row.get(i + 1)));
    }
    boolean addGenerationPrompt = Boolean.parseBoolean(row.get(1));
    if (row.get(2).equals("prompt")) {
      assertEquals(row.get(3), template.render(messages, addGenerationPrompt), messages::toString);
    } else {
      String error = failure(template, messages);
      assertTrue(error.endsWith("it says: " + row.get(3)), error);
    }
  }

  private static String failure(ChatTemplate template, List<ChatMessage> messages) {
    return assertThrows(InvalidArgumentException.class, () -> template.render(messages, true))
        .getMessage();
  }

  @Test
  void whatTheTemplateRaisesIsOneLine() {
    assertEquals(
        "messages=[user, user], expected what the chat template accepts; it says: roles must"
            + " alternate",
        failure(
            template("{{ raise_exception('roles must\\nalternate') }}"),
            List.of(ChatMessage.user("a"), ChatMessage.user("b"))));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '~',
      value = {
        "{{ messages[0].role | nosuch }} ~ unknown filter nosuch",
        "{% if messages is nosuch %}{% endif %} ~ unknown test nosuch",
        "{% for m in messages %}{{ m.role|no }}{% endfor %} ~ unknown filter no",
        "{% nosuch %} ~ Unknown tag: nosuch",
        "{{ nosuch(1) }} ~ Could not resolve function 'nosuch'",
        "{{ 1 + }} ~ Error parsing '1 +'",
        "{% if true %} ~ Missing end tag",
        "{% for m in messages %}{{ loop.previtem }}{% endfor %} ~ Cannot resolve property",
        "{% for m in messages if m %}{% endfor %} ~ if m %}' is not supported",
        "{{ 'a'.casefold() }} ~ no method 'casefold'",
        "{{ 'a'.startswith(1) }} ~ no method 'startswith'",
      })
  void whatCannotBeExpressedIsAnError(String source, String problem) {
    String error = failure(template(source), HELLO);
    assertTrue(error.contains(problem), error);
    assertFalse(error.contains("\n"), error);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{{ ''.getClass() }}",
        "{{ ''.class }}",
        "{{ ''.getClass().forName('java.lang.Runtime') }}",
        "{{ messages.getClass() }}",
        "{{ messages[0].class.name.bytes }}",
        "{{ ____int3rpr3t3r____.getContext() }}",
        "{{ ____int3rpr3t3r____.config }}",
        "{% include '/etc/hostname' %}",
        "{% import '/etc/hostname' as x %}",
        "{{ messages.append('x') }}",
      })
  void javaObjectsAndFilesAreOutOfReach(String source) {
    if (source.contains("messages[0].class")) {
      // The members of a map are its entries: an absent one is undefined, whatever its name.
      assertEquals("", template(source).render(HELLO, true));
    } else {
      failure(template(source), HELLO);
    }
  }

  @Test
  void contentIsNeverRunAsATemplate() {
    String content = "{{ bos_token }}{% raw %}{{ 1 + 1 }}";
    assertEquals(
        content,
        template("{{ messages[0].content }}").render(List.of(ChatMessage.user(content)), true));
  }

  @Test
  void aRunawayTemplateIsStopped() {
    String error =
        failure(
            template("{% for i in range(1000) %}{{ messages[0].content }}{% endfor %}"),
            List.of(ChatMessage.user("x".repeat(10_000))));
    assertTrue(error.contains("output rendered, over limit"), error);
  }

  @Test
  void refusesMessagesThatAreNone() {
    assertEquals("messages=[], expected at least one", failure(template("x"), List.of()));
    assertEquals(
        "role= , expected a name such as user",
        assertThrows(InvalidArgumentException.class, () -> new ChatMessage(" ", "x")).getMessage());
    assertEquals(
        "content=null, expected a text",
        assertThrows(InvalidArgumentException.class, () -> ChatMessage.system(null)).getMessage());
  }

  @Test
  void comesFromTheFile(@TempDir Path folder) {
    Path path =
        Fixtures.byteLevel()
            .string(
                "tokenizer.chat_template",
                "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}")
            .write(folder.resolve("with.gguf"));
    try (GgufFile file = GgufFile.open(path)) {
      assertEquals(
          "<|im_start|>Hello<|im_end|>",
          ChatTemplate.of(file, Tokenizer.of(file)).render(HELLO, false));
    }
    Path without = Fixtures.byteLevel().write(folder.resolve("without.gguf"));
    try (GgufFile file = GgufFile.open(without)) {
      assertEquals(
          without + ": tokenizer.chat_template is missing, expected it in the metadata",
          assertThrows(InvalidModelException.class, () -> ChatTemplate.of(file, Tokenizer.of(file)))
              .getMessage());
    }
  }
}
