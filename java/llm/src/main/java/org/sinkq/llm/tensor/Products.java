package org.sinkq.llm.tensor;

import java.util.Arrays;
import org.sinkq.concurrent.WorkerPool;

/**
 * Linear maps of rows of activations on a team of threads. A task computes some outputs of one map
 * for a slab of rows; the slabs are small enough to stay in a second-level cache while one tile of
 * weights after another passes by.
 *
 * <p>Activations are [rows, inputs] and [rows, outputs] without gaps. Not thread-safe.
 */
public final class Products {
  /** Activations of a slab. */
  private static final int SLAB_ELEMENTS = 128 * 1024;

  /** Rows of a slab are a multiple of this, as kernels take four at a time. */
  private static final int SLAB_MULTIPLE = 4;

  /** Tasks of one map and slab that each thread should find, so that all finish together. */
  private static final int TASKS_PER_THREAD = 12;

  private final Kernels kernels;
  private final WorkerPool workers;
  private final Memory[] memory;

  /** Working memory of one thread. */
  private static final class Memory {
    /** Partial sums and scales. */
    float[] scratch = {};

    /** [TILE_ROWS, inputs] dequantized weights. */
    float[] tile = {};

    /** [rows, TILE_ROWS] outputs of a tile that the end of the matrix cuts. */
    float[] edge = {};
  }

  /** Products on a team of threads. */
  public Products(Kernels kernels, WorkerPool workers) {
    this.kernels = kernels;
    this.workers = workers;
    memory = new Memory[workers.threads()];
    for (int i = 0; i < memory.length; i++) {
      memory[i] = new Memory();
    }
  }

  /**
   * Applies several maps to the same rows in one loop.
   *
   * @param x [rows, inputs]
   * @param to [maps][rows, outputs of the map], overwritten
   */
  public void apply(Linear[] maps, float[] x, int rows, float[][] to) {
    int[] end = new int[maps.length];
    int tasks = 0;
    for (int i = 0; i < maps.length; i++) {
      tasks += tasks(maps[i].weights(), rows);
      end[i] = tasks;
    }
    workers.run(
        tasks,
        (task, worker) -> {
          int i = 0;
          while (task >= end[i]) {
            i++;
          }
          int first = i == 0 ? 0 : end[i - 1];
          compute(maps[i], x, rows, to[i], task - first, memory[worker]);
        });
  }

  /** Applies one map. */
  public void apply(Linear map, float[] x, int rows, float[] to) {
    workers.run(
        tasks(map.weights(), rows),
        (task, worker) -> compute(map, x, rows, to, task, memory[worker]));
  }

  /**
   * {@code gate = activation(gated · x) * (linear · x)} for two maps of one shape.
   *
   * @param gate [rows, outputs], overwritten
   * @param up [rows, outputs], overwritten with the second map's outputs
   */
  public void applyGated(
      Activation activation,
      Linear gated,
      Linear linear,
      float[] x,
      int rows,
      float[] gate,
      float[] up) {
    Weights weights = gated.weights();
    workers.run(
        tasks(weights, rows),
        (task, worker) -> {
          compute(gated, x, rows, gate, task, memory[worker]);
          compute(linear, x, rows, up, task, memory[worker]);
          int from = firstOutput(weights, task);
          int outputs = Math.min(taskOutputs(weights), weights.rows() - from);
          int end = Math.min(rows, firstRow(weights, task) + slabRows(weights));
          for (int r = firstRow(weights, task); r < end; r++) {
            switch (activation) {
              case SILU -> kernels.siluMultiply(gate, up, r * weights.rows() + from, outputs);
              case GELU -> kernels.geluMultiply(gate, up, r * weights.rows() + from, outputs);
            }
          }
        });
  }

  private int taskOutputs(Weights weights) {
    int share = weights.rows() / (workers.threads() * TASKS_PER_THREAD);
    return Math.max(1, share / Kernels.TILE_ROWS) * Kernels.TILE_ROWS;
  }

  private int outputTasks(Weights weights) {
    int outputs = taskOutputs(weights);
    return (weights.rows() + outputs - 1) / outputs;
  }

  private static int slabRows(Weights weights) {
    return Math.max(1, SLAB_ELEMENTS / weights.columns() / SLAB_MULTIPLE) * SLAB_MULTIPLE;
  }

  private int tasks(Weights weights, int rows) {
    int slabs = (rows + slabRows(weights) - 1) / slabRows(weights);
    return slabs * outputTasks(weights);
  }

  private int firstRow(Weights weights, int task) {
    return task / outputTasks(weights) * slabRows(weights);
  }

  private int firstOutput(Weights weights, int task) {
    return task % outputTasks(weights) * taskOutputs(weights);
  }

  private void compute(Linear map, float[] x, int allRows, float[] to, int task, Memory working) {
    Weights weights = map.weights();
    int row = firstRow(weights, task);
    int rows = Math.min(slabRows(weights), allRows - row);
    int from = firstOutput(weights, task);
    int end = Math.min(from + taskOutputs(weights), weights.rows());
    int xAt = row * weights.columns();
    int toAt = row * weights.rows();
    int scratch = Kernels.scratchLength(weights.columns());
    if (working.scratch.length < scratch) {
      working.scratch = new float[scratch];
    }
    for (int o = from; o < end; o += Kernels.TILE_ROWS) {
      if (end - o < Kernels.TILE_ROWS) {
        edge(weights, o, end - o, x, xAt, rows, to, toAt + o, working);
      } else if (rows == 1 && kernels.multipliesBlocks(weights.type())) {
        kernels.multiply(weights, o, x, xAt, to, toAt + o, working.scratch);
      } else {
        fillTile(weights, o, Kernels.TILE_ROWS, working);
        kernels.multiply(
            working.tile,
            weights.columns(),
            x,
            xAt,
            weights.columns(),
            rows,
            to,
            toAt + o,
            weights.rows(),
            working.scratch);
      }
    }
    if (map.bias() != null) {
      for (int r = 0; r < rows; r++) {
        int at = toAt + r * weights.rows();
        for (int o = from; o < end; o++) {
          to[at + o] += map.bias()[o];
        }
      }
    }
  }

  private void fillTile(Weights weights, int output, int outputs, Memory working) {
    int length = Kernels.TILE_ROWS * weights.columns();
    if (working.tile.length < length) {
      working.tile = new float[length];
    }
    for (int i = 0; i < outputs; i++) {
      kernels.dequantize(weights, output + i, working.tile, i * weights.columns());
    }
  }

  /** The last outputs of a matrix whose number of outputs is no multiple of a tile's. */
  private void edge(
      Weights weights,
      int output,
      int outputs,
      float[] x,
      int xAt,
      int rows,
      float[] to,
      int toAt,
      Memory working) {
    fillTile(weights, output, outputs, working);
    int columns = weights.columns();
    Arrays.fill(working.tile, outputs * columns, Kernels.TILE_ROWS * columns, 0f);
    if (working.edge.length < rows * Kernels.TILE_ROWS) {
      working.edge = new float[rows * Kernels.TILE_ROWS];
    }
    kernels.multiply(
        working.tile,
        columns,
        x,
        xAt,
        columns,
        rows,
        working.edge,
        0,
        Kernels.TILE_ROWS,
        working.scratch);
    for (int r = 0; r < rows; r++) {
      System.arraycopy(working.edge, r * Kernels.TILE_ROWS, to, toAt + r * weights.rows(), outputs);
    }
  }
}
