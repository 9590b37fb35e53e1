/**
 * Reports as one HTML file that needs nothing else: no script, no font, no picture from elsewhere.
 *
 * <pre>
 *   Page   headings, text, tables, figures; light or dark as the reader's system is
 *    ├─ Chart     lines and points over two axes, as SVG
 *    └─ HeatMap   a matrix of values, as SVG
 * </pre>
 */
package org.sinkq.cli.report;
