package org.sinkq;

import static org.sinkq.InvalidArgumentException.require;

import java.util.BitSet;

/** Checks at the door of a step: every layer once, with tensors that fit. */
final class OperandChecks {
  private final ModelShape shape;
  private final int tokens;
  private final String step;
  private final BitSet done = new BitSet();

  /**
   * Begins a step.
   *
   * @param tokens rows of its tensors
   * @param step what messages call it
   */
  OperandChecks(ModelShape shape, int tokens, String step) {
    this.shape = shape;
    this.tokens = tokens;
    this.step = step;
  }

  /** Operands of a layer that is run. */
  void check(int layer, TensorView q, TensorView k, TensorView v, TensorView out) {
    checkLayer(layer);
    checkShape("q", q, shape.numQoHeads());
    checkRows(k, v);
    checkShape("out", out, shape.numQoHeads());
    require(
        out.isDevice() || !out.segment().isReadOnly(),
        "out=read-only memory, expected memory that can be written");
  }

  /** Operands of a layer that is appended. */
  void check(int layer, TensorView k, TensorView v) {
    checkLayer(layer);
    checkRows(k, v);
  }

  private void checkLayer(int layer) {
    require(
        layer >= 0 && layer < shape.numLayers(),
        "layer=%d, expected 0 to %d",
        layer,
        shape.numLayers() - 1);
    require(!done.get(layer), "layer=%d, expected one that this %s has not run yet", layer, step);
  }

  private void checkRows(TensorView k, TensorView v) {
    checkShape("k", k, shape.numKvHeads());
    checkShape("v", v, shape.numKvHeads());
  }

  private void checkShape(String name, TensorView tensor, int heads) {
    require(
        tensor.tokens() == tokens && tensor.heads() == heads && tensor.headDim() == shape.headDim(),
        "%s=[%d, %d, %d], expected [%d, %d, %d]",
        name,
        tensor.tokens(),
        tensor.heads(),
        tensor.headDim(),
        tokens,
        heads,
        shape.headDim());
    require(
        tensor.isDevice() || tensor.segment().scope().isAlive(),
        "%s=memory of a closed arena, expected open memory",
        name);
  }

  /** A layer has been run. */
  void done(int layer) {
    done.set(layer);
  }

  /** Refuses to go on unless all layers have been run. */
  void requireAll(String before) {
    require(
        done.cardinality() == shape.numLayers(),
        "layer %d has not been run, expected all %d layers before %s",
        done.nextClearBit(0),
        shape.numLayers(),
        before);
  }
}
