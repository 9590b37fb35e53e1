package org.sinkq.cli.report;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * A matrix of values as coloured cells: the higher, the stronger. Values are clamped to the range
 * that is given; what is not a number stays blank.
 *
 * @param rows names, from top to bottom
 * @param columns names, from left to right
 * @param values [rows][columns]
 * @param low value of an empty cell
 * @param high value of a full one
 */
public record HeatMap(
    List<String> rows, List<String> columns, double[][] values, double low, double high) {
  private static final int WIDTH = 900;
  private static final int LEFT = 70;
  private static final int TOP = 6;
  private static final int BOTTOM = 22;
  private static final int LEVELS = 32;

  /** Cells that are at least so many pixels high and wide show their number. */
  private static final int NUMBER_HEIGHT = 16;

  private static final int NUMBER_WIDTH = 34;
  private static final int MAX_ROW_HEIGHT = 26;
  private static final int MAX_CELL_WIDTH = 90;
  private static final int MAX_HEIGHT = 560;
  private static final int LABEL_HEIGHT = 12;
  private static final int LABEL_WIDTH = 44;

  /** A map whose range is that of its values. */
  public static HeatMap of(List<String> rows, List<String> columns, double[][] values) {
    double[] finite =
        Arrays.stream(values).flatMapToDouble(Arrays::stream).filter(Double::isFinite).toArray();
    double low = Arrays.stream(finite).min().orElse(0);
    double high = Arrays.stream(finite).max().orElse(1);
    return new HeatMap(rows, columns, values, low, high);
  }

  /** The picture. */
  public String svg() {
    double height = Math.min(MAX_ROW_HEIGHT, (double) MAX_HEIGHT / rows.size());
    double width = Math.min(MAX_CELL_WIDTH, (double) (WIDTH - LEFT) / columns.size());
    StringBuilder svg = new StringBuilder();
    svg.append(
        format(
            "<svg viewBox=\"0 0 %d %.1f\" width=\"%d\" role=\"img\">\n",
            WIDTH, TOP + height * rows.size() + BOTTOM, WIDTH));
    cells(svg, width, height);
    if (height >= NUMBER_HEIGHT && width >= NUMBER_WIDTH) {
      numbers(svg, width, height);
    }
    int rowStep = (int) Math.ceil(LABEL_HEIGHT / height);
    for (int r = 0; r < rows.size(); r += rowStep) {
      svg.append(text(LEFT - 6, TOP + (r + 0.5) * height + 4, "end", rows.get(r)));
    }
    int columnStep = (int) Math.ceil(LABEL_WIDTH / width);
    for (int c = 0; c < columns.size(); c += columnStep) {
      svg.append(
          text(
              LEFT + (c + 0.5) * width, TOP + rows.size() * height + 15, "middle", columns.get(c)));
    }
    return svg.append("</svg>\n").toString();
  }

  /** One path for all cells of a strength, which keeps large maps small. */
  private void cells(StringBuilder svg, double width, double height) {
    StringBuilder[] paths = new StringBuilder[LEVELS + 1];
    Arrays.setAll(paths, i -> new StringBuilder());
    for (int r = 0; r < rows.size(); r++) {
      for (int c = 0; c < columns.size(); c++) {
        double share = (values[r][c] - low) / (high - low);
        if (!Double.isNaN(values[r][c])) {
          int level = (int) Math.round(Math.clamp(Double.isNaN(share) ? 1 : share, 0, 1) * LEVELS);
          paths[level].append(
              format(
                  "M%.1f %.1fh%.1fv%.1fh-%.1fz",
                  LEFT + c * width, TOP + r * height, width, height, width));
        }
      }
    }
    for (int level = 1; level <= LEVELS; level++) {
      if (!paths[level].isEmpty()) {
        svg.append(
            format(
                "<path d=\"%s\" style=\"fill:var(--heat)\" fill-opacity=\"%.3f\"/>\n",
                paths[level], (double) level / LEVELS));
      }
    }
    svg.append(
        format(
            "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%.1f\" fill=\"none\""
                + " style=\"stroke:var(--grid)\"/>\n",
            LEFT, TOP, columns.size() * width, rows.size() * height));
  }

  private void numbers(StringBuilder svg, double width, double height) {
    for (int r = 0; r < rows.size(); r++) {
      for (int c = 0; c < columns.size(); c++) {
        svg.append(
            text(
                LEFT + (c + 0.5) * width,
                TOP + (r + 0.5) * height + 4,
                "middle",
                Double.isNaN(values[r][c]) ? "" : Axis.label(values[r][c])));
      }
    }
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
