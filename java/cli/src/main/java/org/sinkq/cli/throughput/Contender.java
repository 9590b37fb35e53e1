package org.sinkq.cli.throughput;

import org.sinkq.cli.plan.CapacityPlanner;

/**
 * A cache that takes part.
 *
 * @param name as on the command line
 * @param format of it
 */
public record Contender(String name, CapacityPlanner.Format format) {}
