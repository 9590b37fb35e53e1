package org.sinkq.cuda.ptx;

import java.util.List;

/**
 * mma.sync, ldmatrix, stmatrix and movmatrix. Fragments are laid out as PTX defines them: in each 8
 * by 8 tile of 16-bit elements lane l holds the two elements of row l / 4 at columns 2 (l % 4) and
 * the next.
 */
final class MatrixOps {
  private static final int ROWS = 8;

  private MatrixOps() {}

  /** Decodes, or returns null where the opcode is another family's. */
  static Op.Action decode(Decoder in, Insn i) {
    return switch (i.root()) {
      case "ldmatrix" -> loadMatrix(in, i);
      case "stmatrix" -> storeMatrix(in, i);
      case "movmatrix" -> transpose(in, i);
      case "mma" -> MmaOps.decode(in, i);
      default -> null;
    };
  }

  private static boolean eightByEight(Insn i) {
    return i.has("m8n8") && i.has("b16");
  }

  /** Row r of tile t comes from the address that lane 8 t + r holds. */
  private static Op.Action loadMatrix(Decoder in, Insn i) {
    if (!eightByEight(i)) {
      return null;
    }
    List<Operand> targets = i.group(0);
    int[] dst = targets.stream().mapToInt(in::writeInt).toArray();
    AddressRead address = AddressRead.of(in, i.operand(1), MemoryOps.space(i));
    boolean generic = MemoryOps.space(i).isEmpty();
    boolean transposed = i.has("trans");
    int[] tile = new int[ROWS * ROWS];
    int[] rows = new int[ROWS];
    return (w, mask) -> {
      if (!w.converged(mask, -1)) {
        return;
      }
      Space space = generic ? w.generic() : w.block().shared();
      // All addresses are read before a register that may hold one of them is written.
      int[][] at = new int[dst.length][ROWS];
      for (int t = 0; t < dst.length; t++) {
        for (int row = 0; row < ROWS; row++) {
          int lane = ROWS * t + row;
          at[t][row] = space.locate(w, lane, address.of(w, lane), 2 * ROWS, Space.Access.READ);
        }
      }
      for (int t = 0; t < dst.length; t++) {
        System.arraycopy(at[t], 0, rows, 0, ROWS);
        for (int row = 0; row < ROWS; row++) {
          for (int column = 0; column < ROWS; column++) {
            int value = Space.readInt(space.bytes, rows[row] + 2 * column, 2);
            tile[transposed ? column * ROWS + row : row * ROWS + column] = value;
          }
        }
        for (int lane = 0; lane < Lanes.WARP; lane++) {
          int k = lane / 4 * ROWS + lane % 4 * 2;
          w.r[dst[t] + lane] = tile[k] | tile[k + 1] << 16;
        }
      }
    };
  }

  private static Op.Action storeMatrix(Decoder in, Insn i) {
    if (!eightByEight(i)) {
      return null;
    }
    AddressRead address = AddressRead.of(in, i.operand(0), MemoryOps.space(i));
    boolean generic = MemoryOps.space(i).isEmpty();
    int[] src = i.group(1).stream().mapToInt(s -> in.readInt(s, PtxType.B32)).toArray();
    boolean transposed = i.has("trans");
    return (w, mask) -> {
      if (!w.converged(mask, -1)) {
        return;
      }
      Space space = generic ? w.generic() : w.block().shared();
      for (int t = 0; t < src.length; t++) {
        for (int row = 0; row < ROWS; row++) {
          int lane = ROWS * t + row;
          long to = address.of(w, lane);
          int at = space.locate(w, lane, to, 2 * ROWS, Space.Access.WRITE);
          for (int column = 0; column < ROWS; column++) {
            int r = transposed ? column : row;
            int c = transposed ? row : column;
            int pair = w.r[src[t] + r * 4 + c / 2];
            Space.writeInt(space.bytes, at + 2 * column, 2, pair >>> (c % 2 * 16));
          }
          space.settle(lane, to, 2 * ROWS);
        }
      }
      w.block().grid().progress();
    };
  }

  private static Op.Action transpose(Decoder in, Insn i) {
    int dst = in.writeInt(i.operand(0));
    int a = in.readInt(i.operand(1), PtxType.B32);
    return (w, mask) -> {
      if (!w.converged(mask, -1)) {
        return;
      }
      for (int lane = 0; lane < Lanes.WARP; lane++) {
        int row = lane / 4;
        int column = lane % 4 * 2;
        w.ints[lane] = element(w, a, column, row) | element(w, a, column + 1, row) << 16;
      }
      w.keepInts(dst, -1);
    };
  }

  private static int element(Warp w, int a, int row, int column) {
    return w.r[a + row * 4 + column / 2] >>> (column % 2 * 16) & 0xffff;
  }
}
