package org.sinkq.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUevent;
import jcuda.driver.CUfunction;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUmodule;
import jcuda.driver.CUstream;

/** JCuda's objects as the types of {@link CudaDevice}, and addresses as JCuda's pointers. */
final class JcudaHandles {
  private JcudaHandles() {}

  record JStream(StreamHandle handle) implements CudaDevice.Stream {}

  record JEvent(CUevent handle) implements CudaDevice.Event {}

  record JModule(CUmodule handle) implements CudaDevice.Module {}

  record JFunction(CUfunction handle, String name) implements CudaDevice.Function {}

  record JGraph(CUgraphExec handle, CUgraph source) implements CudaDevice.Graph {}

  /** A device address; JCuda keeps addresses to itself and its subclasses. */
  static final class Address extends CUdeviceptr {
    Address() {}

    Address(long address) {
      super(new CUdeviceptr(), address);
    }

    long value() {
      return getNativePointer() + getByteOffset();
    }
  }

  /** A stream whose handle others can use. */
  static final class StreamHandle extends CUstream {
    long value() {
      return getNativePointer();
    }
  }

  /** Page-locked host memory whose address the driver fills in. */
  static final class HostPointer extends Pointer {
    HostPointer() {}

    HostPointer(long address) {
      super(address);
    }

    long value() {
      return getNativePointer() + getByteOffset();
    }
  }

  /**
   * The parameter list of a launch, an array of one address in native memory, that each thread
   * keeps: JCuda builds a list out of Pointer objects anew for every launch.
   */
  static final class Arguments {
    private final MemorySegment list = Arena.ofAuto().allocate(ValueLayout.ADDRESS);
    private final HostPointer pointer = new HostPointer(list.address());

    Pointer with(MemorySegment struct) {
      list.set(ValueLayout.ADDRESS, 0, struct);
      return pointer;
    }
  }
}
