package org.sinkq.cli.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** Lines and points over two axes. */
public final class Chart {
  private static final int WIDTH = 760;
  private static final int HEIGHT = 360;
  private static final int LEFT = 70;
  private static final int RIGHT = 150;
  private static final int TOP = 15;
  private static final int BOTTOM = 45;
  private static final int LEGEND_STEP = 17;

  /** Readable on white and on black, and told apart by most people. */
  private static final List<String> COLOURS =
      List.of(
          "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#999999", "#bb7744");

  private final String xLabel;
  private final String yLabel;
  private final boolean logarithmic;
  private boolean logarithmicX;
  private final List<Series> series = new ArrayList<>();

  private record Series(String name, double[] x, double[] y, boolean isLine) {}

  /**
   * An empty chart.
   *
   * @param logarithmic whether the vertical axis is
   */
  public Chart(String xLabel, String yLabel, boolean logarithmic) {
    this.xLabel = xLabel;
    this.yLabel = yLabel;
    this.logarithmic = logarithmic;
  }

  /** Makes the horizontal axis logarithmic. */
  public Chart withLogarithmicX() {
    logarithmicX = true;
    return this;
  }

  /** Adds a line; where a value has no place, it has a gap. */
  public Chart line(String name, double[] x, double[] y) {
    series.add(new Series(name, x.clone(), y.clone(), true));
    return this;
  }

  /** Adds a point with its name beside it. */
  public Chart point(String name, double x, double y) {
    series.add(new Series(name, new double[] {x}, new double[] {y}, false));
    return this;
  }

  /** The picture. */
  public String svg() {
    Axis x = Axis.of(all(true), logarithmicX);
    Axis y = Axis.of(all(false), logarithmic);
    StringBuilder svg = new StringBuilder();
    svg.append(
        format("<svg viewBox=\"0 0 %d %d\" width=\"%d\" role=\"img\">\n", WIDTH, HEIGHT, WIDTH));
    for (double tick : x.ticks()) {
      double at = across(x, tick);
      grid(svg, at, TOP, at, HEIGHT - BOTTOM);
      svg.append(text(at, HEIGHT - BOTTOM + 16, "middle", Axis.label(tick)));
    }
    for (double tick : y.ticks()) {
      double at = down(y, tick);
      grid(svg, LEFT, at, WIDTH - RIGHT, at);
      svg.append(text(LEFT - 6, at + 4, "end", Axis.label(tick)));
    }
    svg.append(text((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 8, "middle", xLabel));
    svg.append(
        format(
            "<text transform=\"translate(14 %d) rotate(-90)\" text-anchor=\"middle\">%s</text>\n",
            (TOP + HEIGHT - BOTTOM) / 2, Page.escape(yLabel)));
    int legend = 0;
    for (int i = 0; i < series.size(); i++) {
      String colour = COLOURS.get(i % COLOURS.size());
      Series s = series.get(i);
      if (s.isLine) {
        svg.append(path(s, x, y, colour));
        double at = TOP + 8 + LEGEND_STEP * legend++;
        svg.append(
            format(
                "<rect x=\"%d\" y=\"%.1f\" width=\"10\" height=\"10\" fill=\"%s\"/>",
                WIDTH - RIGHT + 12, at, colour));
        svg.append(text(WIDTH - RIGHT + 27, at + 9, "start", s.name));
      } else if (y.shows(s.y[0])) {
        svg.append(
            format(
                "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\"/>",
                across(x, s.x[0]), down(y, s.y[0]), colour));
        svg.append(text(across(x, s.x[0]) + 8, down(y, s.y[0]) + 4, "start", s.name));
      }
    }
    return svg.append("</svg>\n").toString();
  }

  /** The picture as a document of its own, on white. */
  public String document() {
    String svg = svg().replace("var(--grid)", "#ddd");
    return format(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\""
                + " font-family=\"sans-serif\" font-size=\"11\">\n"
                + "<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n",
            WIDTH, HEIGHT, WIDTH, WIDTH, HEIGHT)
        + svg.substring(svg.indexOf('\n') + 1);
  }

  private double[] all(boolean horizontal) {
    return series.stream()
        .map(s -> horizontal ? s.x : s.y)
        .flatMapToDouble(Arrays::stream)
        .toArray();
  }

  private static double across(Axis x, double value) {
    return LEFT + x.place(value) * (WIDTH - RIGHT - LEFT);
  }

  private static double down(Axis y, double value) {
    return HEIGHT - BOTTOM - y.place(value) * (HEIGHT - BOTTOM - TOP);
  }

  private static String path(Series s, Axis x, Axis y, String colour) {
    StringBuilder path = new StringBuilder();
    boolean open = false;
    for (int i = 0; i < s.x.length; i++) {
      boolean shown = y.shows(s.y[i]);
      if (shown) {
        path.append(format("%s%.1f %.1f", open ? "L" : "M", across(x, s.x[i]), down(y, s.y[i])));
      }
      open = shown;
    }
    return format(
        "<path d=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"1.6\"/>\n", path, colour);
  }

  private static void grid(StringBuilder svg, double x1, double y1, double x2, double y2) {
    svg.append(
        format("<path d=\"M%.1f %.1fL%.1f %.1f\" style=\"stroke:var(--grid)\"/>", x1, y1, x2, y2));
  }

  private static String text(double x, double y, String anchor, String text) {
    return format(
        "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n",
        x, y, anchor, Page.escape(text));
  }

  private static String format(String pattern, Object... values) {
    return String.format(Locale.ROOT, pattern, values);
  }
}
