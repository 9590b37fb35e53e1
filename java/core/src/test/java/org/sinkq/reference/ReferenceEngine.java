package org.sinkq.reference;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.sinkq.KvCodec;
import org.sinkq.cache.SequenceState;
import org.sinkq.cache.SinkTable;
import org.sinkq.cache.StepPlan;
import org.sinkq.engine.CacheMemory;
import org.sinkq.engine.Engine;
import org.sinkq.engine.EngineStep;
import org.sinkq.engine.PageImage;
import org.sinkq.engine.RowOrder;
import org.sinkq.layout.CacheGeometry;

/** The engine interface over maps and lists. */
final class ReferenceEngine implements Engine {
  /** Memory of one KV head of one layer. */
  static final class HeadMemory {
    /** [pages] */
    final PageImage[] pages;

    /** [sequences] window tokens by position. */
    final List<TreeMap<Integer, Token>> windows = new ArrayList<>();

    /** [sequences] attention mass of window tokens by position, in units. */
    final List<Map<Integer, Long>> masses = new ArrayList<>();

    /** [sequences][sink slots] */
    final Token[][] sinks;

    HeadMemory(CacheMemory memory) {
      pages = new PageImage[memory.pages()];
      for (int s = 0; s < memory.sequences(); s++) {
        windows.add(new TreeMap<>());
        masses.add(new HashMap<>());
      }
      sinks = new Token[memory.sequences()][memory.geometry().sinks().slots()];
    }
  }

  final CacheMemory memory;
  final CacheGeometry geometry;
  private final HeadMemory[][] heads;

  ReferenceEngine(CacheMemory memory) {
    this.memory = memory;
    geometry = memory.geometry();
    heads = new HeadMemory[geometry.shape().numLayers()][geometry.shape().numKvHeads()];
    for (HeadMemory[] layer : heads) {
      for (int h = 0; h < layer.length; h++) {
        layer[h] = new HeadMemory(memory);
      }
    }
  }

  HeadMemory head(int layer, int head) {
    return heads[layer][head];
  }

  KvCodec codec(int layer) {
    return geometry.layer(layer).codec();
  }

  /** Committed window tokens of a sequence: those its state counts, whatever else the map holds. */
  List<Token> window(int layer, int head, SequenceState state) {
    List<Token> tokens = new ArrayList<>();
    for (int p = state.flushedTokens(); p < state.length(); p++) {
      Token token = heads[layer][head].windows.get(state.slot()).get(p);
      assert token != null : "position " + p + " is missing";
      tokens.add(token);
    }
    return tokens;
  }

  /** Attention masses of the committed window, to be added to. */
  Map<Integer, Long> masses(int layer, int head, SequenceState state) {
    Map<Integer, Long> masses = new HashMap<>(heads[layer][head].masses.get(state.slot()));
    masses.keySet().removeIf(p -> p < state.flushedTokens() || p >= state.length());
    return masses;
  }

  /** What the pool goes by, the smallest first. */
  long score(int layer, Token token, Map<Integer, Long> masses) {
    return geometry.tracksMass(layer)
        ? SinkTable.NO_MASS - masses.getOrDefault(token.position(), 0L)
        : (long) (token.score() * SinkTable.MASS_UNITS);
  }

  /** All committed tokens of a sequence as attention sees them. */
  List<Attended> committed(int layer, int head, SequenceState state) {
    List<Attended> all = new ArrayList<>();
    int tracked = geometry.trackedHead(layer, head);
    int size = geometry.pageTokens();
    for (int p = 0; p < state.pageCount(); p++) {
      PageImage image = heads[layer][head].pages[state.page(p)];
      for (int t = 0; t < size; t++) {
        if (tracked < 0 || !memory.masks().get(tracked, state.page(p), t)) {
          all.add(new Token(p * size + t, image.keys()[t], image.values()[t]).attended());
        }
      }
    }
    for (int s = 0; tracked >= 0 && s < state.sinks().slots(); s++) {
      if (state.sinks().position(tracked, s) >= 0) {
        all.add(heads[layer][head].sinks[state.slot()][s].attended());
      }
    }
    window(layer, head, state).forEach(token -> all.add(token.attended()));
    return all;
  }

  @Override
  public EngineStep begin(StepPlan plan) {
    return new ReferenceStep(this, plan);
  }

  @Override
  public void copyRows(SequenceState from, SequenceState to) {
    for (HeadMemory[] layer : heads) {
      for (HeadMemory head : layer) {
        head.windows.set(to.slot(), new TreeMap<>(head.windows.get(from.slot())));
        head.masses.set(to.slot(), new HashMap<>(head.masses.get(from.slot())));
        head.sinks[to.slot()] = head.sinks[from.slot()].clone();
      }
    }
  }

  @Override
  public void reopen(SequenceState sequence, int pageIndex, int tokens) {
    int first = pageIndex * geometry.pageTokens();
    for (int l = 0; l < heads.length; l++) {
      for (int h = 0; h < heads[l].length; h++) {
        int tracked = geometry.trackedHead(l, h);
        PageImage image = heads[l][h].pages[sequence.page(pageIndex)];
        TreeMap<Integer, Token> window = heads[l][h].windows.get(sequence.slot());
        window.clear();
        Map<Integer, Long> masses = heads[l][h].masses.get(sequence.slot());
        masses.clear();
        for (int t = 0; t < tokens; t++) {
          int slot = tracked < 0 ? -1 : sequence.sinks().slotOf(tracked, first + t);
          if (slot >= 0) {
            masses.put(first + t, SinkTable.NO_MASS - sequence.sinks().score(tracked, slot));
          }
          Attended row = new Token(first + t, image.keys()[t], image.values()[t]).attended();
          window.put(
              first + t,
              slot >= 0
                  ? heads[l][h].sinks[sequence.slot()][slot]
                  : Token.reopened(codec(l), first + t, row.key(), row.value()));
        }
      }
    }
  }

  @Override
  public PageImage readPage(int layer, int head, int page) {
    return heads[layer][head].pages[page];
  }

  @Override
  public float[] readWindowRow(int layer, int head, SequenceState sequence, int position) {
    return row(heads[layer][head].windows.get(sequence.slot()).get(position));
  }

  @Override
  public float[] readSinkRow(int layer, int head, SequenceState sequence, int sinkSlot) {
    return row(heads[layer][head].sinks[sequence.slot()][sinkSlot]);
  }

  @Override
  public long readScore(int layer, int head, SequenceState sequence, int position) {
    return score(
        layer,
        heads[layer][head].windows.get(sequence.slot()).get(position),
        masses(layer, head, sequence));
  }

  private static float[] row(Token token) {
    float[] both = new float[2 * token.key().length];
    System.arraycopy(token.key(), 0, both, 0, token.key().length);
    System.arraycopy(token.value(), 0, both, token.key().length, token.value().length);
    return both;
  }

  @Override
  public void readPages(int layer, int[] pages, MemorySegment to) {
    ReferencePages format = new ReferencePages(geometry);
    int heads = geometry.shape().numKvHeads();
    long bytes = format.pageBytes(layer);
    for (int i = 0; i < pages.length * heads; i++) {
      PageImage image = this.heads[layer][i % heads].pages[pages[i / heads]];
      format.write(layer, image, new boolean[0], to.asSlice(i * bytes, bytes));
    }
  }

  @Override
  public void writePages(int layer, int[] pages, MemorySegment from) {
    ReferencePages format = new ReferencePages(geometry);
    int heads = geometry.shape().numKvHeads();
    long bytes = format.pageBytes(layer);
    for (int i = 0; i < pages.length * heads; i++) {
      this.heads[layer][i % heads].pages[pages[i / heads]] =
          format.read(layer, from.asSlice(i * bytes, bytes));
    }
  }

  @Override
  public void readRows(int layer, SequenceState sequence, MemorySegment to) {
    RowOrder.visit(
        geometry,
        layer,
        sequence,
        new RowOrder.Visitor() {
          @Override
          public void window(int head, int position, long offset) {
            put(readWindowRow(layer, head, sequence, position), offset);
          }

          @Override
          public void sink(int head, int slot, long offset) {
            put(readSinkRow(layer, head, sequence, slot), offset);
          }

          private void put(float[] row, long offset) {
            for (int i = 0; i < row.length; i++) {
              if (codec(layer) == KvCodec.FP32) {
                to.set(JAVA_FLOAT_UNALIGNED, offset + 4L * i, row[i]);
              } else {
                to.set(JAVA_SHORT_UNALIGNED, offset + 2L * i, Float.floatToFloat16(row[i]));
              }
            }
          }
        });
  }

  @Override
  public void writeRows(int layer, SequenceState sequence, MemorySegment from) {
    int slot = sequence.slot();
    for (HeadMemory head : heads[layer]) {
      head.windows.get(slot).clear();
      head.masses.get(slot).clear();
    }
    RowOrder.visit(
        geometry,
        layer,
        sequence,
        new RowOrder.Visitor() {
          @Override
          public void window(int head, int position, long offset) {
            heads[layer][head].windows.get(slot).put(position, get(position, offset));
          }

          @Override
          public void sink(int head, int sinkSlot, long offset) {
            int tracked = geometry.trackedHead(layer, head);
            int position = sequence.sinks().position(tracked, sinkSlot);
            heads[layer][head].sinks[slot][sinkSlot] = get(position, offset);
          }

          private Token get(int position, long offset) {
            int dim = geometry.shape().headDim();
            float[][] rows = new float[2][dim];
            for (int i = 0; i < 2 * dim; i++) {
              rows[i / dim][i % dim] =
                  codec(layer) == KvCodec.FP32
                      ? from.get(JAVA_FLOAT_UNALIGNED, offset + 4L * i)
                      : Float.float16ToFloat(from.get(JAVA_SHORT_UNALIGNED, offset + 2L * i));
            }
            return new Token(position, rows[0], rows[1]);
          }
        });
  }

  @Override
  public void close() {}
}
