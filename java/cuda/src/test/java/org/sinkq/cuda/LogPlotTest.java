package org.sinkq.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.StringReader;
import java.util.ArrayList;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

/** Where points and ticks of a plot lie. */
class LogPlotTest {
  static Document parse(String svg) throws Exception {
    return DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(new InputSource(new StringReader(svg)));
  }

  static List<String> texts(Document svg) {
    List<String> found = new ArrayList<>();
    NodeList all = svg.getElementsByTagName("text");
    for (int i = 0; i < all.getLength(); i++) {
      found.add(all.item(i).getTextContent());
    }
    return found;
  }

  /** Centres of all points. */
  static List<double[]> circles(Document svg) {
    List<double[]> found = new ArrayList<>();
    NodeList all = svg.getElementsByTagName("circle");
    for (int i = 0; i < all.getLength(); i++) {
      Element circle = (Element) all.item(i);
      found.add(
          new double[] {
            Double.parseDouble(circle.getAttribute("cx")),
            Double.parseDouble(circle.getAttribute("cy"))
          });
    }
    return found;
  }

  /** Where the tick of a number is, by the position of its text. */
  private static double tick(Document svg, String number, String axis) {
    NodeList all = svg.getElementsByTagName("text");
    for (int i = 0; i < all.getLength(); i++) {
      Element text = (Element) all.item(i);
      boolean ofAxis = text.getAttribute("text-anchor").equals(axis.equals("x") ? "middle" : "end");
      if (ofAxis && text.getTextContent().equals(number)) {
        return Double.parseDouble(text.getAttribute(axis));
      }
    }
    throw new AssertionError("no tick " + number + " in " + texts(svg));
  }

  @Test
  void pointsLieAtTheirTicksAndHalfwayInBetween() throws Exception {
    LogPlot plot = new LogPlot("title", "x axis", "y axis");
    plot.add("a", true, List.of(new double[] {1, 10}, new double[] {4, 1000}));
    plot.add("b", false, List.of(new double[] {2, 100}));
    Document svg = parse(plot.svg(2, 10));
    List<double[]> points = circles(svg);
    assertEquals(tick(svg, "1", "x"), points.get(0)[0], 0.11);
    assertEquals(tick(svg, "4", "x"), points.get(1)[0], 0.11);
    assertEquals(tick(svg, "2", "x"), points.get(2)[0], 0.11);
    // The text of a tick is 4 below its line.
    assertEquals(tick(svg, "10", "y") - 4, points.get(0)[1], 0.11);
    assertEquals(tick(svg, "1000", "y") - 4, points.get(1)[1], 0.11);
    assertEquals(tick(svg, "100", "y") - 4, points.get(2)[1], 0.11);
    assertEquals((points.get(0)[0] + points.get(1)[0]) / 2, points.get(2)[0], 0.11);
    assertTrue(points.get(0)[1] > points.get(1)[1], "larger numbers are higher up");
  }

  @Test
  void onlyJoinedSeriesHaveLinesBetweenTheirPoints() throws Exception {
    int[] lines = new int[2];
    for (int i = 0; i < 2; i++) {
      LogPlot plot = new LogPlot("t", "x", "y");
      plot.add("a", i == 1, List.of(new double[] {1, 1}, new double[] {2, 2}, new double[] {3, 3}));
      lines[i] = parse(plot.svg(10, 10)).getElementsByTagName("line").getLength();
    }
    assertEquals(lines[0] + 2, lines[1]);
  }

  @Test
  void seriesWithoutPointsAreLeftOutOfTheLegend() throws Exception {
    LogPlot plot = new LogPlot("a < b & c", "x", "y");
    plot.add("empty", true, List.of());
    plot.add("full", true, List.of(new double[] {5, 0.5}));
    List<String> texts = texts(parse(plot.svg(2, 10)));
    assertTrue(texts.contains("full"), texts.toString());
    assertTrue(texts.contains("a < b & c"), texts.toString());
    assertFalse(texts.contains("empty"), texts.toString());
  }
}
