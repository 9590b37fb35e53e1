package org.sinkq.reference;

import org.sinkq.layout.CacheGeometry;

/** All heads of one sequence. */
public final class ReferenceSequence {
  private final CacheGeometry geometry;
  private final ReferenceHead[][] heads;
  private int length;

  /** An empty sequence. */
  public ReferenceSequence(CacheGeometry geometry) {
    this.geometry = geometry;
    heads = new ReferenceHead[geometry.shape().numLayers()][geometry.shape().numKvHeads()];
    for (int l = 0; l < heads.length; l++) {
      for (int h = 0; h < heads[l].length; h++) {
        heads[l][h] = new ReferenceHead(geometry, l);
      }
    }
  }

  /** An independent copy. */
  public ReferenceSequence copy() {
    ReferenceSequence copy = new ReferenceSequence(geometry);
    copy.length = length;
    for (int l = 0; l < heads.length; l++) {
      for (int h = 0; h < heads[l].length; h++) {
        copy.heads[l][h] = heads[l][h].copy();
      }
    }
    return copy;
  }

  /** Committed tokens. */
  public int length() {
    return length;
  }

  /** State of a KV head of a layer. */
  public ReferenceHead head(int layer, int head) {
    return heads[layer][head];
  }

  /** Appends a row to a head. */
  public void append(int layer, int head, float[] key, float[] value) {
    heads[layer][head].append(key, value);
  }

  /** Attention of the query of row {@code row} of the step, for a query head. */
  public Attention attend(int layer, int qoHead, float[] query, int row) {
    return heads[layer][qoHead / geometry.shape().groupSize()].attend(query, length + row);
  }

  /** Flushes all heads of all layers and advances. */
  public void endStep(int rows) {
    for (ReferenceHead[] layer : heads) {
      for (ReferenceHead head : layer) {
        head.flush();
      }
    }
    length += rows;
  }

  /** Drops all tokens from {@code newLength} on. */
  public void truncate(int newLength) {
    for (ReferenceHead[] layer : heads) {
      for (ReferenceHead head : layer) {
        head.truncate(newLength);
      }
    }
    length = newLength;
  }
}
