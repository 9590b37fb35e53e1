package org.sinkq.llm.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.sinkq.ModelShape;
import org.sinkq.cuda.ForwardKernels;

/** Makes weights of a size on the device; nothing passes through the host. */
final class RandomWeights {
  private final ModelConfig config;
  private final DeviceMemory memory;
  private final ForwardKernels kernels;
  private final long seed;
  private int matrices;

  RandomWeights(ModelConfig config, DeviceMemory memory, ForwardKernels kernels, long seed) {
    this.config = config;
    this.memory = memory;
    this.kernels = kernels;
    this.seed = seed;
  }

  DeviceWeights fill(int vocabulary) {
    ModelShape shape = config.shape();
    int width = config.width();
    int queries = shape.numQoHeads() * shape.headDim();
    int all = queries + 2 * shape.numKvHeads() * shape.headDim();
    long headNorm = config.architecture().headNorms() ? ones(shape.headDim()) : 0;
    long norm = ones(width);
    List<DeviceWeights.Layer> layers = new ArrayList<>();
    for (int i = 0; i < shape.numLayers(); i++) {
      layers.add(
          new DeviceWeights.Layer(
              norm,
              matrix(all, width),
              0,
              headNorm,
              headNorm,
              matrix(width, queries),
              0,
              norm,
              matrix(2 * config.feedForward(), width),
              0,
              matrix(width, config.feedForward()),
              0));
    }
    // Rows of the embedding are taken as they are, so their numbers are as large as hidden ones.
    DeviceWeights weights =
        new DeviceWeights(
            numbers((long) vocabulary * width, 1),
            List.copyOf(layers),
            norm,
            matrix(vocabulary, width));
    memory.device.synchronize(memory.stream);
    return weights;
  }

  private long ones(int length) {
    float[] values = new float[length];
    Arrays.fill(values, 1);
    return memory.vector(values);
  }

  private long matrix(int outputs, int inputs) {
    return numbers((long) outputs * inputs, 1 / Math.sqrt(inputs));
  }

  /** Numbers with a standard deviation, evenly spread. */
  private long numbers(long count, double deviation) {
    long address = memory.allocate(count * Short.BYTES);
    long one = seed + ((long) ++matrices << Integer.SIZE);
    kernels.randomize(address, count, one, (float) (Math.sqrt(3) * deviation));
    return address;
  }
}
