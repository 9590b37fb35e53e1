package org.sinkq.cuda;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** A plot with two logarithmic axes, as SVG. */
final class LogPlot {
  private static final int WIDTH = 720;
  private static final int HEIGHT = 440;
  private static final int LEFT = 70;
  private static final int RIGHT = 190;
  private static final int TOP = 40;
  private static final int BOTTOM = 50;
  private static final String[] COLORS = {
    "#1b6ca8", "#c8553d", "#3a7d44", "#7d4fa0", "#b8860b", "#444444"
  };

  private record Series(String name, boolean joined, List<double[]> points) {}

  private final String title;
  private final String xName;
  private final String yName;
  private final List<Series> all = new ArrayList<>();

  LogPlot(String title, String xName, String yName) {
    this.title = title;
    this.xName = xName;
    this.yName = yName;
  }

  /**
   * Adds points (x, y), both positive; none are left out of the legend too.
   *
   * @param joined whether a line joins them
   */
  void add(String name, boolean joined, List<double[]> points) {
    if (!points.isEmpty()) {
      all.add(new Series(name, joined, points));
    }
  }

  /** The powers of two or ten around all coordinates. */
  private double[] range(int axis, double base) {
    double low = Double.MAX_VALUE;
    double high = 0;
    for (Series series : all) {
      for (double[] point : series.points) {
        low = Math.min(low, point[axis]);
        high = Math.max(high, point[axis]);
      }
    }
    double unit = Math.log(base);
    double from = Math.floor(Math.log(low) / unit - 0.05);
    return new double[] {from, Math.max(from + 1, Math.ceil(Math.log(high) / unit + 0.05))};
  }

  /** The document; axes have ticks at powers of these bases. */
  String svg(double xBase, double yBase) {
    double[] xs = range(0, xBase);
    double[] ys = range(1, yBase);
    StringBuilder out = new StringBuilder();
    emit(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\""
            + " font-size=\"12\">",
        WIDTH,
        HEIGHT);
    emit(out, "<rect width=\"%d\" height=\"%d\" fill=\"white\"/>", WIDTH, HEIGHT);
    text(out, LEFT, TOP - 16, "start", title);
    text(out, (LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 12, "middle", xName);
    upright(out, 14, (TOP + HEIGHT - BOTTOM) / 2.0, yName);
    for (double tick = xs[0]; tick <= xs[1]; tick++) {
      double x = place(tick, xs, LEFT, WIDTH - RIGHT);
      line(out, x, TOP, x, HEIGHT - BOTTOM, "#dddddd");
      text(out, x, HEIGHT - BOTTOM + 16, "middle", number(Math.pow(xBase, tick)));
    }
    for (double tick = ys[0]; tick <= ys[1]; tick++) {
      double y = place(tick, ys, HEIGHT - BOTTOM, TOP);
      line(out, LEFT, y, WIDTH - RIGHT, y, "#dddddd");
      text(out, LEFT - 6, y + 4, "end", number(Math.pow(yBase, tick)));
    }
    for (int i = 0; i < all.size(); i++) {
      draw(out, i, xs, ys, Math.log(xBase), Math.log(yBase));
    }
    return out.append("</svg>\n").toString();
  }

  private void draw(
      StringBuilder out, int index, double[] xs, double[] ys, double xUnit, double yUnit) {
    Series series = all.get(index);
    String color = COLORS[index % COLORS.length];
    double[] last = null;
    for (double[] point : series.points) {
      double x = place(Math.log(point[0]) / xUnit, xs, LEFT, WIDTH - RIGHT);
      double y = place(Math.log(point[1]) / yUnit, ys, HEIGHT - BOTTOM, TOP);
      emit(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" fill=\"%s\"/>", x, y, color);
      if (series.joined && last != null) {
        line(out, last[0], last[1], x, y, color);
      }
      last = new double[] {x, y};
    }
    double at = TOP + 10 + 20.0 * index;
    line(out, WIDTH - RIGHT + 12, at, WIDTH - RIGHT + 32, at, color);
    text(out, WIDTH - RIGHT + 38, at + 4, "start", series.name);
  }

  private static double place(double value, double[] range, double from, double to) {
    return from + (value - range[0]) / (range[1] - range[0]) * (to - from);
  }

  private static String number(double value) {
    return String.format(Locale.ROOT, value < 1 ? "%.2g" : "%.0f", value);
  }

  private static void line(
      StringBuilder out, double x, double y, double u, double v, String color) {
    emit(
        out,
        "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\""
            + " stroke-width=\"1.5\"/>",
        x,
        y,
        u,
        v,
        color);
  }

  private static void text(StringBuilder out, double x, double y, String anchor, String content) {
    emit(
        out,
        "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>",
        x,
        y,
        anchor,
        escaped(content));
  }

  /** Reads from bottom to top. */
  private static void upright(StringBuilder out, double x, double y, String content) {
    emit(
        out,
        "<text transform=\"translate(%.1f %.1f) rotate(-90)\" text-anchor=\"middle\">%s</text>",
        x,
        y,
        escaped(content));
  }

  private static String escaped(String content) {
    return content.replace("&", "&amp;").replace("<", "&lt;");
  }

  private static void emit(StringBuilder out, String format, Object... values) {
    out.append(String.format(Locale.ROOT, format, values)).append('\n');
  }
}
