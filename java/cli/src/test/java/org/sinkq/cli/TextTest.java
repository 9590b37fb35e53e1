package org.sinkq.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;
import org.sinkq.EngineStatus;

final class TextTest {
  @Test
  void bytesHaveTheUnitThatFits() {
    assertEquals("0 B", Text.bytes(0));
    assertEquals("1023 B", Text.bytes(1023));
    assertEquals("1.0 KiB", Text.bytes(1024));
    assertEquals("93.8 MiB", Text.bytes(98_362_432));
    assertEquals("8388608.0 TiB", Text.bytes(Long.MAX_VALUE));
  }

  @Test
  void nounsAgreeWithTheirCount() {
    assertEquals("0 tokens", Text.count(0, "token"));
    assertEquals("1 token", Text.count(1, "token"));
    assertEquals("2 tokens", Text.count(2, "token"));
  }

  @Test
  void anEngineComesWithTheReason() {
    assertEquals(
        "cpu (512 bits), the best engine here",
        Text.engine(new EngineStatus("cpu", true, "512 bits", "the best engine here", "")));
  }
}
