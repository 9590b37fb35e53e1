package org.sinkq.cuda.ptx;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.sinkq.cuda.CudaDevice;

/** Matrix products on the memory of the interpreted device, in fp64: where cuBLAS is not. */
final class Products {
  private Products() {}

  static void multiply(
      CudaDevice.Product p,
      DeviceMemory.Range weights,
      DeviceMemory.Range x,
      DeviceMemory.Range out) {
    require(weights, p.outputs() * p.inputs() * Short.BYTES);
    require(x, p.rows() * p.inputs() * Short.BYTES);
    boolean half = p.result() == CudaDevice.Result.HALF;
    boolean added = p.result() == CudaDevice.Result.ADDED;
    int elementBytes = half ? Short.BYTES : Float.BYTES;
    int outBytes = p.rows() * p.outputs() * elementBytes;
    if (added) {
      require(out, outBytes);
    }
    float[] w = halves(weights, p.outputs() * p.inputs());
    float[] rows = halves(x, p.rows() * p.inputs());
    ByteBuffer to = bytes(out);
    for (int r = 0; r < p.rows(); r++) {
      for (int o = 0; o < p.outputs(); o++) {
        int at = (r * p.outputs() + o) * elementBytes;
        double sum = added ? to.getFloat(at) : 0;
        for (int i = 0; i < p.inputs(); i++) {
          sum += (double) w[o * p.inputs() + i] * rows[r * p.inputs() + i];
        }
        if (half) {
          to.putShort(at, Float.floatToFloat16((float) sum));
        } else {
          to.putFloat(at, (float) sum);
        }
      }
    }
    out.allocation().init.set(out.offset(), outBytes, true);
  }

  private static ByteBuffer bytes(DeviceMemory.Range range) {
    byte[] data = range.allocation().data;
    return ByteBuffer.wrap(data, range.offset(), data.length - range.offset())
        .slice()
        .order(ByteOrder.LITTLE_ENDIAN);
  }

  private static float[] halves(DeviceMemory.Range range, int count) {
    ByteBuffer from = bytes(range);
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = Float.float16ToFloat(from.getShort(i * Short.BYTES));
    }
    return values;
  }

  private static void require(DeviceMemory.Range range, int bytes) {
    for (int i = 0; i < bytes; i++) {
      if (!range.allocation().init.get(range.offset() + i)) {
        throw new KernelFault(
            Fault.Kind.UNINITIALISED,
            "product reads byte %d of %s, which nobody wrote".formatted(i, range.allocation()));
      }
    }
  }
}
