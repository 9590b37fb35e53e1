package org.sinkq.cli.throughput;

import org.sinkq.cli.plan.DecoderShape;

/**
 * What all measurements of a run have in common.
 *
 * @param model its sizes
 * @param weights that all caches share
 * @param engine name of the engine
 * @param target the device it runs on
 * @param steps steps that are timed in a row
 */
public record Setup(DecoderShape model, Weights weights, String engine, Target target, int steps) {}
