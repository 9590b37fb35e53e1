/**
 * Saved sequences: what {@link org.sinkq.KvSequence#save} writes and {@link
 * org.sinkq.AttentionBackend#restore} reads, byte by byte. Everything is little-endian.
 *
 * <pre>
 *   header
 *     0   "SINKQSEQ"
 *     8   version                int, 1
 *     12  header length          int, its checksum included
 *     16  layers, KV heads, head dimension, tokens of a page, tokens of the window, value group,
 *         pool tokens, spill tokens, selection of sinks                                (9 ints)
 *     52  length in tokens, full pages                                                 (2 ints)
 *     60  name of the page format, ASCII, padded with 0                                (16 bytes)
 *     76  [layers] codec, plus 128 where the layer tracks sinks, padded with 0 to a multiple of 4
 *         CRC-32C
 *   sinks
 *         [tracked heads] frozenAt | positions | scores | kinds, see {@code SinkTable.write}
 *         CRC-32C
 *   for each layer
 *         dense rows, see {@link org.sinkq.engine.RowOrder}
 *         [pages][KV heads] in the page format
 *         CRC-32C
 * </pre>
 *
 * A CRC-32C covers everything since the one before. Slot masks follow from the sink positions,
 * scores of window tokens from their keys; neither is written. Attention masses of the window are
 * not either: restored tokens begin with none. Every length follows from the header, so nothing in
 * a damaged file decides how much is read or allocated.
 *
 * <p>Pages are in the byte order of the engine that wrote them, since that is how they can be
 * copied at the speed of the bus; an engine with another order converts them element by element.
 */
package org.sinkq.saved;
