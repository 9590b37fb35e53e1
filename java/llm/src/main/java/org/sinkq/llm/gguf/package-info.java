/**
 * Reads GGUF files, versions 2 and 3, little-endian, by memory map.
 *
 * <pre>
 *   "GGUF" | version u32 | tensors u64 | entries u64
 *   entries   { key string | type u32 | value }
 *   tensors   { name string | dimensions u32 | extents u64 [dimensions] | type u32 | offset u64 }
 *   padding to general.alignment (32 unless given)
 *   data      each tensor at its offset from here
 *
 *   string = length u64 | UTF-8 bytes        array = type u32 | count u64 | values
 * </pre>
 *
 * The first extent of a tensor is the one whose elements are contiguous: a matrix of {@code rows}
 * outputs and {@code columns} inputs has the extents [columns, rows].
 */
package org.sinkq.llm.gguf;
