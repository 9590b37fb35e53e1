package org.sinkq.cli.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

final class ReportTest {
  private static final Pattern TAG =
      Pattern.compile("<(/?)(\\w+)((?: [\\w-]+=\"[^\"<>]*\")*)(/?)>|[^<>&]+|&(?:lt|gt|amp|quot);");

  /** The opening tags of a picture, in order, with their attributes. */
  private static List<String> tags(String svg) {
    List<String> tags = new ArrayList<>();
    Deque<String> open = new ArrayDeque<>();
    Matcher matcher = TAG.matcher(svg);
    int at = 0;
    while (matcher.find(at) && matcher.start() == at) {
      at = matcher.end();
      if (matcher.group(2) == null) {
        continue;
      }
      if (matcher.group(1).isEmpty()) {
        tags.add(matcher.group(2) + matcher.group(3));
        open.push(matcher.group(2));
      }
      if (!matcher.group(1).isEmpty() || !matcher.group(4).isEmpty()) {
        assertEquals(open.poll(), matcher.group(2), svg);
      }
      if (at == svg.length()) {
        break;
      }
    }
    assertEquals(svg.length(), at, "well-formed up to: " + svg.substring(at));
    assertTrue(open.isEmpty(), "left open: " + open);
    return tags;
  }

  private static String chart(boolean logarithmic) {
    return new Chart("x <tokens>", "y", logarithmic)
        .line("a & b", new double[] {1, 2, 3, 4}, new double[] {1, Double.NaN, 0, 1000})
        .point("p", 2, 50)
        .svg();
  }

  @Test
  void aPageNeedsNothingElse() {
    String html =
        new Page("<Title>")
            .section("s")
            .text("a < b & \"c\"\u0000")
            .table(List.of("h", "n"), List.of(List.of("<x>", "1")))
            .figure("f", chart(true))
            .html();
    assertTrue(html.startsWith("<!DOCTYPE html>"));
    assertTrue(html.contains("<h1>&lt;Title&gt;</h1>"), html);
    assertTrue(html.contains("<td>&lt;x&gt;</td><td>1</td>"), html);
    assertTrue(html.contains("a &lt; b &amp; &quot;c&quot;\uFFFD"), html);
    for (String outside : List.of("http", "<script", "@import", "url(", "src=", "href")) {
      assertFalse(html.toLowerCase(Locale.ROOT).contains(outside), outside);
    }
  }

  @Test
  void picturesAreWellFormed() {
    assertTrue(tags(chart(false)).getFirst().startsWith("svg "));
    assertTrue(tags(chart(true)).getFirst().startsWith("svg "));
    double[][] values = {{0, 1}, {Double.NaN, 0.5}};
    List<String> map = tags(new HeatMap(List.of("a<", "b"), List.of("1", "2"), values, 0, 1).svg());
    // Two cells of strengths above 0, in a path each.
    assertEquals(2, map.stream().filter(tag -> tag.startsWith("path ")).count());
  }

  @Test
  void aChartCanBeADocumentOfItsOwn() {
    String document =
        new Chart("x", "y", true)
            .withLogarithmicX()
            .line("a", new double[] {1, 10, 100}, new double[] {1, 2, 3})
            .document();
    assertTrue(document.startsWith("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox="), document);
    // What only a page around it defines.
    assertFalse(document.contains("var("), document);
    Matcher path =
        Pattern.compile("M([0-9.]+) [0-9.]+L([0-9.]+) [0-9.]+L([0-9.]+) ").matcher(document);
    assertTrue(path.find(), document);
    double middle = Double.parseDouble(path.group(2));
    double ends = Double.parseDouble(path.group(1)) + Double.parseDouble(path.group(3));
    assertEquals(ends / 2, middle, 0.11, document);
  }

  @Test
  void aLogarithmicChartLeavesOutWhatHasNoPlace() {
    String path =
        tags(chart(true)).stream().filter(tag -> tag.contains("stroke-width")).findFirst().get();
    // 1, a gap of NaN and 0, 1000: two points that are not joined.
    assertEquals(2, path.chars().filter(c -> c == 'M').count(), path);
    assertEquals(0, path.chars().filter(c -> c == 'L').count(), path);
  }

  @Test
  void mapsOfEqualOrNoValuesAreDrawn() {
    double[][] equal = {{3, 3}, {3, 3}};
    tags(HeatMap.of(List.of("a", "b"), List.of("1", "2"), equal).svg());
    double[][] none = {{Double.NaN}};
    tags(HeatMap.of(List.of("a"), List.of("1"), none).svg());
    tags(new Chart("x", "y", true).svg());
    tags(new Chart("x", "y", false).point("p", 1, 1).svg());
  }

  @Test
  void ticksAreRound() {
    assertEquals(List.of(0.0, 20.0, 40.0, 60.0, 80.0, 100.0), new Axis(0, 100, false).ticks());
    assertEquals(List.of(0.1, 1.0, 10.0, 100.0), new Axis(0.05, 300, true).ticks());
    assertEquals(List.of(1.0, 2.0, 5.0, 10.0), new Axis(0.9, 11, true).ticks());
    assertEquals("0.25", Axis.label(0.25));
    assertEquals("100", Axis.label(100));
    assertEquals("1e-05", Axis.label(1e-5));
  }
}
