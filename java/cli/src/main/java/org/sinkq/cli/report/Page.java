package org.sinkq.cli.report;

import java.util.List;

/** An HTML page, put together from top to bottom. */
public final class Page {
  private static final String STYLE =
      """
      :root { color-scheme: light dark; --heat: light-dark(#a4133c, #ff9f6b); --grid: light-dark(#ddd, #444); }
      body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
        background: light-dark(#fff, #16181d); color: light-dark(#1c1e21, #e4e6ea); }
      h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2.2rem }
      table { border-collapse: collapse; font-variant-numeric: tabular-nums }
      th, td { padding: .3rem .8rem; text-align: right; border-bottom: 1px solid var(--grid) }
      th:first-child, td:first-child { text-align: left }
      figure { margin: 1rem 0 } figcaption { font-size: .9rem; opacity: .8 }
      svg { max-width: 100%; height: auto; font: 11px system-ui, sans-serif; fill: currentColor }
      """;

  private final StringBuilder body = new StringBuilder();
  private final String title;

  /** An empty page. */
  public Page(String title) {
    this.title = title;
    body.append("<h1>").append(escape(title)).append("</h1>\n");
  }

  /** Begins a section. */
  public Page section(String heading) {
    body.append("<h2>").append(escape(heading)).append("</h2>\n");
    return this;
  }

  /** Adds a paragraph. */
  public Page text(String paragraph) {
    body.append("<p>").append(escape(paragraph)).append("</p>\n");
    return this;
  }

  /** Adds a table; the first column is text, the others are numbers. */
  public Page table(List<String> head, List<List<String>> rows) {
    body.append("<table>\n<thead>");
    row("th", head);
    body.append("</thead>\n<tbody>\n");
    rows.forEach(row -> row("td", row));
    body.append("</tbody>\n</table>\n");
    return this;
  }

  private void row(String tag, List<String> cells) {
    body.append("<tr>");
    for (String cell : cells) {
      body.append('<').append(tag).append('>').append(escape(cell));
      body.append("</").append(tag).append('>');
    }
    body.append("</tr>\n");
  }

  /** Adds a picture with its caption. */
  public Page figure(String caption, String svg) {
    body.append("<figure>").append(svg).append("<figcaption>").append(escape(caption));
    body.append("</figcaption></figure>\n");
    return this;
  }

  /** The whole page. */
  public String html() {
    return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        + "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>"
        + escape(title)
        + "</title>\n<style>\n"
        + STYLE
        + "</style>\n</head>\n<body>\n"
        + body
        + "</body>\n</html>\n";
  }

  /** Makes text safe for HTML and SVG; characters that XML forbids become U+FFFD. */
  static String escape(String text) {
    StringBuilder safe = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '&' -> safe.append("&amp;");
        case '<' -> safe.append("&lt;");
        case '>' -> safe.append("&gt;");
        case '"' -> safe.append("&quot;");
        default -> safe.append(c < ' ' && c != '\n' && c != '\t' ? '\uFFFD' : c);
      }
    }
    return safe.toString();
  }
}
