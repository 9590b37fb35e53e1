package org.sinkq.cache;

import java.util.List;

/**
 * Everything an engine has to know about a step.
 *
 * @param sequences the sequences of the step
 * @param totalRows rows of q, k, v and out
 * @param journal where selections record what they change
 */
public record StepPlan(List<SequenceStep> sequences, int totalRows, SinkJournal journal) {}
