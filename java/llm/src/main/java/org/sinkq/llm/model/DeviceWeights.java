package org.sinkq.llm.model;

import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.sinkq.InvalidArgumentException.require;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.sinkq.concurrent.WorkerPool;
import org.sinkq.llm.tensor.Kernels;
import org.sinkq.llm.tensor.Linear;
import org.sinkq.llm.tensor.Weights;

/**
 * The weights of a model on a device: matrices in fp16, vectors in fp32. Maps of the same input are
 * one matrix, q over k over v and gate over up.
 *
 * @param embedding [vocabulary, width]
 * @param layers one after another
 * @param outputNorm [width]
 * @param output [vocabulary, width]
 */
record DeviceWeights(long embedding, List<Layer> layers, long outputNorm, long output) {
  /** Addresses of one layer; 0 is none. */
  record Layer(
      long attentionNorm,
      long qkv,
      long qkvBias,
      long qNorm,
      long kNorm,
      long attentionOutput,
      long attentionOutputBias,
      long feedForwardNorm,
      long gateUp,
      long gateUpBias,
      long down,
      long downBias) {}

  /** Sends all weights up. */
  static DeviceWeights send(
      ModelWeights weights, DeviceMemory memory, Kernels kernels, WorkerPool workers) {
    Sender sender = new Sender(memory, kernels, workers);
    List<Layer> layers = new ArrayList<>();
    for (ModelWeights.Layer layer : weights.layers()) {
      Linear[] gateUp = {layer.gate(), layer.up()};
      Linear[] attention = {layer.attentionOutput()};
      Linear[] down = {layer.down()};
      layers.add(
          new Layer(
              memory.vector(layer.attentionNorm()),
              sender.matrix(layer.qkv()),
              sender.bias(layer.qkv()),
              memory.vector(layer.qNorm()),
              memory.vector(layer.kNorm()),
              sender.matrix(attention),
              sender.bias(attention),
              memory.vector(layer.feedForwardNorm()),
              sender.matrix(gateUp),
              sender.bias(gateUp),
              sender.matrix(down),
              sender.bias(down)));
    }
    long embedding = sender.matrix(new Linear(weights.embedding(), null));
    boolean tied = weights.output().weights().equals(weights.embedding());
    return new DeviceWeights(
        embedding,
        List.copyOf(layers),
        memory.vector(weights.outputNorm()),
        tied ? embedding : sender.matrix(weights.output()));
  }

  private record Sender(DeviceMemory memory, Kernels kernels, WorkerPool workers) {
    /** Maps of the same input, one under the other. */
    long matrix(Linear... maps) {
      long bytes = 0;
      for (Linear map : maps) {
        bytes += bytes(map.weights());
      }
      long address = memory.allocate(bytes);
      long at = address;
      for (Linear map : maps) {
        rows(map.weights(), at);
        at += bytes(map.weights());
      }
      return address;
    }

    private static long bytes(Weights weights) {
      return (long) weights.rows() * weights.columns() * Short.BYTES;
    }

    private void rows(Weights weights, long to) {
      long rowBytes = (long) weights.columns() * Short.BYTES;
      int most = (int) (DeviceMemory.STAGING_BYTES / rowBytes);
      for (int first = 0; first < weights.rows(); first += most) {
        int from = first;
        int count = Math.min(most, weights.rows() - first);
        workers.run(
            count,
            (row, worker) ->
                halve(weights, from + row, memory.staging().asSlice(row * rowBytes, rowBytes)));
        memory.send(to + first * rowBytes, count * rowBytes);
      }
    }

    private void halve(Weights weights, int row, MemorySegment to) {
      float[] values = new float[weights.columns()];
      kernels.dequantize(weights, row, values, 0);
      for (int i = 0; i < values.length; i++) {
        short half = Float.floatToFloat16(values[i]);
        require(
            Float.isFinite(Float.float16ToFloat(half)),
            "weight=%s, expected a number within the fp16 range to run on a GPU",
            values[i]);
        to.setAtIndex(JAVA_SHORT, i, half);
      }
    }

    /** The biases of maps, one after the other; 0 if none has one. */
    long bias(Linear... maps) {
      int length = 0;
      boolean any = false;
      for (Linear map : maps) {
        length += map.weights().rows();
        any |= map.bias() != null;
      }
      if (!any) {
        return 0;
      }
      float[] all = new float[length];
      int at = 0;
      for (Linear map : maps) {
        if (map.bias() != null) {
          System.arraycopy(map.bias(), 0, all, at, map.bias().length);
        }
        at += map.weights().rows();
      }
      return memory.vector(all);
    }
  }
}
