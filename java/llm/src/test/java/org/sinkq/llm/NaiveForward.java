package org.sinkq.llm;

import static org.sinkq.llm.TinyModel.EPSILON;
import static org.sinkq.llm.TinyModel.HEADS;
import static org.sinkq.llm.TinyModel.HEAD_DIM;
import static org.sinkq.llm.TinyModel.INNER;
import static org.sinkq.llm.TinyModel.KV_HEADS;
import static org.sinkq.llm.TinyModel.VOCABULARY;
import static org.sinkq.llm.TinyModel.WIDTH;

/** The forward pass in binary64 without a cache, straight from the formulas. */
final class NaiveForward {
  private final TinyModel model;

  NaiveForward(TinyModel model) {
    this.model = model;
  }

  /** Logits of every position, [tokens, vocabulary]. */
  double[][] logits(int[] tokens) {
    int n = tokens.length;
    double[][] x = new double[n][WIDTH];
    float[] table = model.tensors.get("token_embd.weight");
    for (int t = 0; t < n; t++) {
      for (int i = 0; i < WIDTH; i++) {
        x[t][i] = table[tokens[t] * WIDTH + i] * (gemma() ? Math.sqrt(WIDTH) : 1);
      }
    }
    for (int layer = 0; layer < TinyModel.LAYERS; layer++) {
      String prefix = "blk." + layer + ".";
      attention(x, prefix);
      for (double[] row : x) {
        double[] h = norm(row, prefix + "ffn_norm.weight");
        double[] gate = apply(prefix + "ffn_gate", h, INNER);
        double[] up = apply(prefix + "ffn_up", h, INNER);
        for (int i = 0; i < INNER; i++) {
          gate[i] = activation(gate[i]) * up[i];
        }
        add(row, after(prefix + "post_ffw_norm", apply(prefix + "ffn_down", gate, WIDTH)));
      }
    }
    String output = model.tensors.containsKey("output.weight") ? "output" : "token_embd";
    double[][] logits = new double[n][];
    for (int t = 0; t < n; t++) {
      logits[t] = apply(output, norm(x[t], "output_norm.weight"), VOCABULARY);
    }
    return logits;
  }

  private void attention(double[][] x, String prefix) {
    int n = x.length;
    double[][] q = new double[n][];
    double[][] k = new double[n][];
    double[][] v = new double[n][];
    for (int t = 0; t < n; t++) {
      double[] h = norm(x[t], prefix + "attn_norm.weight");
      q[t] = apply(prefix + "attn_q", h, HEADS * HEAD_DIM);
      k[t] = apply(prefix + "attn_k", h, KV_HEADS * HEAD_DIM);
      v[t] = apply(prefix + "attn_v", h, KV_HEADS * HEAD_DIM);
      turn(q[t], prefix + "attn_q_norm.weight", t);
      turn(k[t], prefix + "attn_k_norm.weight", t);
    }
    for (int t = 0; t < n; t++) {
      double[] out = new double[HEADS * HEAD_DIM];
      int first = model.slidingWindow == 0 ? 0 : Math.max(0, t - model.slidingWindow + 1);
      for (int head = 0; head < HEADS; head++) {
        int kv = head / (HEADS / KV_HEADS) * HEAD_DIM;
        double[] p = new double[t + 1];
        double sum = 0;
        for (int s = first; s <= t; s++) {
          double dot = 0;
          for (int i = 0; i < HEAD_DIM; i++) {
            dot += q[t][head * HEAD_DIM + i] * k[s][kv + i];
          }
          p[s] = Math.exp(dot / Math.sqrt(HEAD_DIM));
          sum += p[s];
        }
        for (int s = first; s <= t; s++) {
          for (int i = 0; i < HEAD_DIM; i++) {
            out[head * HEAD_DIM + i] += p[s] / sum * v[s][kv + i];
          }
        }
      }
      add(x[t], after(prefix + "post_attention_norm", apply(prefix + "attn_output", out, WIDTH)));
    }
  }

  private boolean gemma() {
    return model.architecture.equals("gemma3");
  }

  private double activation(double x) {
    double tanh = Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x));
    return gemma() ? 0.5 * x * (1 + tanh) : x / (1 + Math.exp(-x));
  }

  /** A norm of what a layer adds, if the model has it. */
  private double[] after(String name, double[] x) {
    return model.tensors.containsKey(name + ".weight") ? norm(x, name + ".weight") : x;
  }

  private void turn(double[] x, String norm, int position) {
    int half = model.ropeDimensions / 2;
    float[] factors = model.tensors.get("rope_freqs.weight");
    for (int at = 0; at < x.length; at += HEAD_DIM) {
      if (model.tensors.containsKey(norm)) {
        double[] head = norm(java.util.Arrays.copyOfRange(x, at, at + HEAD_DIM), norm);
        System.arraycopy(head, 0, x, at, HEAD_DIM);
      }
      for (int i = 0; i < half; i++) {
        boolean pairs = model.architecture.equals("llama");
        int a = at + (pairs ? 2 * i : i);
        int b = pairs ? a + 1 : a + half;
        double angle =
            position / model.ropeFactor * Math.pow(model.slidingRopeBase, -(double) i / half);
        angle /= factors == null ? 1 : factors[i];
        double first = x[a] * Math.cos(angle) - x[b] * Math.sin(angle);
        x[b] = x[a] * Math.sin(angle) + x[b] * Math.cos(angle);
        x[a] = first;
      }
    }
  }

  private double[] norm(double[] x, String name) {
    float[] weight = model.tensors.get(name);
    double squares = 0;
    for (double v : x) {
      squares += v * v;
    }
    double[] out = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      out[i] = x[i] / Math.sqrt(squares / x.length + EPSILON) * weight[i];
    }
    return out;
  }

  private double[] apply(String name, double[] x, int outputs) {
    float[] weights = model.tensors.get(name + ".weight");
    float[] bias = model.tensors.get(name + ".bias");
    double[] out = new double[outputs];
    for (int o = 0; o < outputs; o++) {
      out[o] = bias == null ? 0 : bias[o];
      for (int i = 0; i < x.length; i++) {
        out[o] += weights[o * x.length + i] * x[i];
      }
    }
    return out;
  }

  private static void add(double[] x, double[] y) {
    for (int i = 0; i < x.length; i++) {
      x[i] += y[i];
    }
  }
}
