package org.sinkq.engine;

/**
 * What an engine allocates, in bytes.
 *
 * @param perPage for one page: all layers and KV heads
 * @param perSequence for the dense rows of one sequence: all layers and KV heads
 */
public record Footprint(long perPage, long perSequence) {}
