package org.sinkq.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class JsonTest {
  @Test
  void keysKeepTheirOrderAndTextIsEscaped() {
    Map<String, Object> object = new LinkedHashMap<>();
    object.put("z", 1);
    object.put("a", List.of(2L, 0.5, true, Map.of("k", "\"\n")));
    object.put("n", null);
    assertEquals("{\"z\":1,\"a\":[2,0.5,true,{\"k\":\"\\\"\\n\"}],\"n\":null}", Json.line(object));
  }

  @Test
  void otherTypesAreRefused() {
    assertEquals(
        "value=c, expected a JSON type",
        assertThrows(IllegalArgumentException.class, () -> Json.line(Map.of("k", 'c')))
            .getMessage());
  }

  @Test
  void roundingLeavesDecimals() {
    assertEquals(6.4321, Json.round(6.43214, 4));
    assertEquals(-0.5, Json.round(-0.504, 2));
  }
}
