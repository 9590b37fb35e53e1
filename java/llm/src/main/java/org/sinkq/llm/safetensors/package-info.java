/**
 * Reading and writing safetensors files, so that tensors recorded elsewhere can be replayed.
 *
 * <pre>
 *   offset
 *   0        +---------------------------------------------+
 *            | N, length of the header (u64, little endian) |
 *   8        +---------------------------------------------+
 *            | {"name": {"dtype": "F32", "shape": [2, 3],   |
 *            |           "data_offsets": [begin, end]}, ... |
 *            |  "__metadata__": {...}}       JSON, N bytes  |
 *   8 + N    +---------------------------------------------+
 *            | tensors, row-major, little endian; begin and |
 *            | end count from here, without gaps or overlap |
 *   end      +---------------------------------------------+
 * </pre>
 *
 * A file is untrusted: {@link org.sinkq.llm.safetensors.SafetensorsFile#open} checks every number
 * of the header against the others and against the file's size before anything is read.
 */
package org.sinkq.llm.safetensors;
