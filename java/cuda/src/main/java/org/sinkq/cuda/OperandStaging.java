package org.sinkq.cuda;

import static org.sinkq.InvalidArgumentException.require;

import java.lang.foreign.MemorySegment;
import java.util.Locale;
import java.util.OptionalInt;
import org.sinkq.TensorView;
import org.sinkq.cuda.LaunchParameters.Operand;

/**
 * Where the operands of one call are on the device: device tensors in place, host tensors in a
 * contiguous copy that passes through page-locked memory.
 */
final class OperandStaging {
  private static final long ALIGNMENT = 256;

  private final CudaDevice device;
  private final DeviceBuffers buffers;
  private final CudaDevice.Stream stream;
  private DeviceBuffers.Mirrored buffer;

  OperandStaging(CudaDevice device, DeviceBuffers buffers, CudaDevice.Stream stream) {
    this.device = device;
    this.buffers = buffers;
    this.stream = stream;
  }

  private static long exactBytes(TensorView x) {
    return (long) x.tokens() * x.heads() * x.headDim() * x.dtype().byteSize();
  }

  private static long bytes(TensorView x) {
    return (exactBytes(x) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  /** Sends the inputs and tells the kernels where everything is. */
  void bind(LaunchParameters parameters, TensorView q, TensorView k, TensorView v, TensorView out) {
    reserve(q, k, v, out);
    long at = bind(parameters, Operand.Q, q, 0);
    at = bind(parameters, Operand.K, k, at);
    at = bind(parameters, Operand.V, v, at);
    send(at);
    place(parameters, Operand.OUT, out, at);
  }

  /** The same for rows that nothing attends to. */
  void bind(LaunchParameters parameters, TensorView k, TensorView v) {
    reserve(k, v);
    long at = bind(parameters, Operand.K, k, 0);
    send(bind(parameters, Operand.V, v, at));
  }

  private void reserve(TensorView... operands) {
    long needed = 0;
    for (TensorView x : operands) {
      needed += x.isDevice() ? 0 : bytes(x);
    }
    if (needed > 0 && (buffer == null || buffer.bytes() < needed)) {
      if (buffer != null) {
        buffers.giveBack(buffer);
        buffer = null;
      }
      buffer = buffers.mirrored(needed);
    }
  }

  private void send(long bytes) {
    if (bytes > 0) {
      device.copyToDevice(buffer.device(), buffer.host().asSlice(0, bytes), stream);
    }
  }

  private long bind(LaunchParameters parameters, Operand operand, TensorView x, long at) {
    place(parameters, operand, x, at);
    if (x.isDevice()) {
      return at;
    }
    move(x, at, true);
    return at + bytes(x);
  }

  private void place(LaunchParameters parameters, Operand operand, TensorView x, long at) {
    if (x.isDevice()) {
      OptionalInt owner = device.foreignOwner(x.devicePointer());
      require(
          owner.isEmpty(),
          "%s has devicePointer=0x%x, memory of device %d, expected memory of device %d",
          operand.name().toLowerCase(Locale.ROOT),
          x.devicePointer(),
          owner.orElse(-1),
          device.ordinal());
      parameters.set(operand, x.devicePointer(), x.tokenStride(), x.headStride(), x.dtype());
    } else {
      long row = (long) x.heads() * x.headDim();
      parameters.set(operand, buffer.device() + at, row, x.headDim(), x.dtype());
    }
  }

  /** Copies a tensor into page-locked memory, or out of it. */
  private void move(TensorView x, long at, boolean in) {
    MemorySegment pinned = buffer.host();
    long head = (long) x.headDim() * x.dtype().byteSize();
    boolean packed =
        (x.headStride() == x.headDim() || x.heads() == 1)
            && (x.tokenStride() == (long) x.heads() * x.headDim() || x.tokens() == 1);
    if (packed) {
      copy(x.segment(), 0, pinned, at, (long) x.tokens() * x.heads() * head, in);
      return;
    }
    for (int t = 0; t < x.tokens(); t++) {
      for (int h = 0; h < x.heads(); h++) {
        copy(
            x.segment(),
            x.byteOffset(t, h),
            pinned,
            at + ((long) t * x.heads() + h) * head,
            head,
            in);
      }
    }
  }

  private static void copy(
      MemorySegment tensor, long offset, MemorySegment pinned, long at, long bytes, boolean in) {
    if (in) {
      MemorySegment.copy(tensor, offset, pinned, at, bytes);
    } else {
      MemorySegment.copy(pinned, at, tensor, offset, bytes);
    }
  }

  private static long outOffset(TensorView q, TensorView k, TensorView v) {
    return (q.isDevice() ? 0 : bytes(q))
        + (k.isDevice() ? 0 : bytes(k))
        + (v.isDevice() ? 0 : bytes(v));
  }

  /** Queues the copy of a host result. */
  void fetch(TensorView q, TensorView k, TensorView v, TensorView out) {
    if (!out.isDevice()) {
      long at = outOffset(q, k, v);
      device.copyToHost(buffer.host().asSlice(at, exactBytes(out)), buffer.device() + at, stream);
    }
  }

  /** Hands over a host result, once the stream has passed {@link #fetch}. */
  void deliver(TensorView q, TensorView k, TensorView v, TensorView out) {
    if (!out.isDevice()) {
      move(out, outOffset(q, k, v), false);
    }
  }
}
