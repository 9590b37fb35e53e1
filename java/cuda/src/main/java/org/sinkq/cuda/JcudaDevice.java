package org.sinkq.cuda;

import static jcuda.driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES;
import static jcuda.driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
import static jcuda.driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_NUM_REGS;
import static jcuda.driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES;
import static jcuda.driver.CUjit_option.CU_JIT_ERROR_LOG_BUFFER;
import static jcuda.driver.CUjit_option.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES;
import static jcuda.driver.CUpointer_attribute.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL;
import static jcuda.driver.CUpointer_attribute.CU_POINTER_ATTRIBUTE_DEVICE_POINTER;
import static org.sinkq.cuda.JcudaDriver.check;
import static org.sinkq.cuda.JcudaDriver.error;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.ConcurrentHashMap;
import jcuda.Pointer;
import jcuda.driver.CUdevice;
import jcuda.driver.CUfunction;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import jcuda.driver.JITOptions;
import org.sinkq.DeviceException;
import org.sinkq.cuda.JcudaHandles.Address;
import org.sinkq.cuda.JcudaHandles.Arguments;
import org.sinkq.cuda.JcudaHandles.HostPointer;
import org.sinkq.cuda.JcudaHandles.JFunction;
import org.sinkq.cuda.JcudaHandles.JModule;

/**
 * A device through JCuda, on its primary context. Every call binds the context to the calling
 * thread, whichever device that thread used before, and turns a result that is not success into an
 * exception.
 */
final class JcudaDevice extends JcudaStreams {
  private static final int JIT_LOG_BYTES = 16 << 10;

  /** A Pointer to a direct buffer reaches no further, so copies go in pieces. */
  private static final long MAX_PIECE = 1L << 30;

  private static final ThreadLocal<Arguments> ARGUMENTS = ThreadLocal.withInitial(Arguments::new);

  private final int ordinal;

  /** Whether memory can be another device's. */
  private final boolean alone;

  private final CUdevice device;
  private final Facts facts;
  private final List<CUmodule> modules = new ArrayList<>();

  /** Products of each stream that is prepared for them: a workspace serves one stream only. */
  private final Map<Stream, CublasProducts> products = new ConcurrentHashMap<>();

  private boolean closed;

  /** Opens device number {@code ordinal}. */
  JcudaDevice(int ordinal) {
    this.ordinal = ordinal;
    alone = new JcudaDriver().count() == 1;
    device = JcudaDriver.device(ordinal);
    facts = JcudaDriver.facts(device);
    check(JCudaDriver.cuDevicePrimaryCtxRetain(context, device), "creating a context");
  }

  @Override
  public Facts facts() {
    return facts;
  }

  @Override
  public int ordinal() {
    return ordinal;
  }

  @Override
  public OptionalInt foreignOwner(long address) {
    if (alone) {
      return OptionalInt.empty();
    }
    bind();
    Address pointer = new Address(address);
    int[] owner = new int[1];
    int known =
        JCudaDriver.cuPointerGetAttribute(
            Pointer.to(owner), CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, pointer);
    if (known != CUresult.CUDA_SUCCESS || owner[0] == ordinal) {
      return OptionalInt.empty();
    }
    // Peer access and managed memory let a device reach what another one has.
    long[] here = new long[1];
    int reachable =
        JCudaDriver.cuPointerGetAttribute(
            Pointer.to(here), CU_POINTER_ATTRIBUTE_DEVICE_POINTER, pointer);
    return reachable == CUresult.CUDA_SUCCESS ? OptionalInt.empty() : OptionalInt.of(owner[0]);
  }

  @Override
  public MemoryInfo memory() {
    bind();
    long[] free = new long[1];
    long[] total = new long[1];
    check(JCudaDriver.cuMemGetInfo(free, total), "reading the free memory");
    return new MemoryInfo(free[0], total[0]);
  }

  @Override
  public long allocate(long bytes) {
    bind();
    Address address = new Address();
    int result = JCudaDriver.cuMemAlloc(address, bytes);
    if (result != 0) {
      MemoryInfo memory = memory();
      check(
          result,
          "allocating %d bytes on %s, %d free of %d",
          bytes,
          facts.name(),
          memory.freeBytes(),
          memory.totalBytes());
    }
    return address.value();
  }

  @Override
  public void free(long address) {
    bind();
    check(JCudaDriver.cuMemFree(new Address(address)), "freeing device memory");
  }

  @Override
  public MemorySegment allocatePinned(long bytes) {
    bind();
    HostPointer pointer = new HostPointer();
    check(
        JCudaDriver.cuMemHostAlloc(pointer, bytes, JCudaDriver.CU_MEMHOSTALLOC_PORTABLE),
        "allocating %d bytes of page-locked host memory",
        bytes);
    return segment(pointer.value(), bytes);
  }

  /** The only way to give memory that another library allocated a length. */
  @SuppressWarnings("restricted")
  private static MemorySegment segment(long address, long bytes) {
    return MemorySegment.ofAddress(address).reinterpret(bytes);
  }

  @Override
  public void freePinned(MemorySegment pinned) {
    bind();
    check(
        JCudaDriver.cuMemFreeHost(new HostPointer(pinned.address())),
        "freeing page-locked host memory");
  }

  @Override
  public void copyToDevice(long to, MemorySegment from, Stream stream) {
    bind();
    long bytes = from.byteSize();
    for (long at = 0; at < bytes; at += MAX_PIECE) {
      check(
          JCudaDriver.cuMemcpyHtoDAsync(
              new Address(to + at),
              new HostPointer(from.address() + at),
              Math.min(MAX_PIECE, bytes - at),
              raw(stream)),
          "copying %d bytes to the device",
          bytes);
    }
  }

  @Override
  public void copyToHost(MemorySegment to, long from, Stream stream) {
    bind();
    long bytes = to.byteSize();
    for (long at = 0; at < bytes; at += MAX_PIECE) {
      check(
          JCudaDriver.cuMemcpyDtoHAsync(
              new HostPointer(to.address() + at),
              new Address(from + at),
              Math.min(MAX_PIECE, bytes - at),
              raw(stream)),
          "copying %d bytes from the device",
          bytes);
    }
  }

  @Override
  public void copy(long to, long from, long bytes, Stream stream) {
    bind();
    check(
        JCudaDriver.cuMemcpyDtoDAsync(new Address(to), new Address(from), bytes, raw(stream)),
        "copying %d bytes within the device",
        bytes);
  }

  @Override
  public void fill(long to, byte value, long bytes, Stream stream) {
    bind();
    check(
        JCudaDriver.cuMemsetD8Async(new Address(to), value, bytes, raw(stream)),
        "filling %d bytes of device memory",
        bytes);
  }

  @Override
  public Module load(String ptx) {
    bind();
    JITOptions options = new JITOptions();
    options.putInt(CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, JIT_LOG_BYTES);
    options.putBytes(CU_JIT_ERROR_LOG_BUFFER, new byte[JIT_LOG_BYTES]);
    CUmodule module = new CUmodule();
    byte[] text = ptx.getBytes(StandardCharsets.US_ASCII);
    byte[] image = Arrays.copyOf(text, text.length + 1);
    int result = JCudaDriver.cuModuleLoadDataJIT(module, Pointer.to(image), options);
    if (result != 0) {
      check(
          result,
          "loading %d bytes of PTX on %s (compute capability %d.%d): %s",
          text.length,
          facts.name(),
          facts.major(),
          facts.minor(),
          options.getString(CU_JIT_ERROR_LOG_BUFFER).strip());
    }
    modules.add(module);
    return new JModule(module);
  }

  @Override
  public Function function(Module module, String name) {
    bind();
    CUfunction function = new CUfunction();
    check(
        JCudaDriver.cuModuleGetFunction(function, ((JModule) module).handle(), name),
        "looking up kernel %s",
        name);
    return new JFunction(function, name);
  }

  private static int attribute(Function function, int which) {
    int[] value = new int[1];
    JFunction f = (JFunction) function;
    check(
        JCudaDriver.cuFuncGetAttribute(value, which, f.handle()),
        "reading attribute %d of %s",
        which,
        f.name());
    return value[0];
  }

  @Override
  public FunctionFacts facts(Function function) {
    bind();
    return new FunctionFacts(
        attribute(function, CU_FUNC_ATTRIBUTE_NUM_REGS),
        attribute(function, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES),
        attribute(function, CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES));
  }

  @Override
  public void allowDynamicShared(Function function, int bytes) {
    bind();
    JFunction f = (JFunction) function;
    check(
        JCudaDriver.cuFuncSetAttribute(
            f.handle(), CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, bytes),
        "allowing %s %d bytes of shared memory, %d at most on %s",
        f.name(),
        bytes,
        facts.sharedBytesPerBlock(),
        facts.name());
  }

  @Override
  public int blocksPerMultiprocessor(Function function, int blockThreads, int dynamicSharedBytes) {
    bind();
    int[] blocks = new int[1];
    JFunction f = (JFunction) function;
    check(
        JCudaDriver.cuOccupancyMaxActiveBlocksPerMultiprocessor(
            blocks, f.handle(), blockThreads, dynamicSharedBytes),
        "computing the occupancy of %s",
        f.name());
    return blocks[0];
  }

  @Override
  public void launch(Launch launch, Stream stream) {
    bind();
    JFunction f = (JFunction) launch.function();
    int result =
        JCudaDriver.cuLaunchKernel(
            f.handle(),
            launch.gridX(),
            launch.gridY(),
            launch.gridZ(),
            launch.blockThreads(),
            1,
            1,
            launch.dynamicSharedBytes(),
            raw(stream),
            ARGUMENTS.get().with(launch.parameter()),
            null);
    // The values of a message are boxed only where there is one.
    if (result != CUresult.CUDA_SUCCESS) {
      throw launchError(result, launch, f.name());
    }
  }

  private static DeviceException launchError(int result, Launch launch, String name) {
    return error(
        result,
        "launching %s with grid [%d, %d, %d], block %d and %d bytes of shared memory",
        name,
        launch.gridX(),
        launch.gridY(),
        launch.gridZ(),
        launch.blockThreads(),
        launch.dynamicSharedBytes());
  }

  @Override
  public void prepareProducts(Stream stream) {
    bind();
    products.computeIfAbsent(
        stream,
        s -> {
          CublasLibrary.load();
          long workspace = allocate(CublasProducts.WORKSPACE_BYTES);
          boolean done = false;
          try {
            CublasProducts made = new CublasProducts(raw(s), workspace, HostPointer::new);
            done = true;
            return made;
          } finally {
            if (!done) {
              free(workspace);
            }
          }
        });
  }

  @Override
  public void multiply(Product product, Stream stream) {
    bind();
    products.get(stream).multiply(product);
  }

  @Override
  public void destroy(Stream stream) {
    bind();
    CublasProducts gone = products.remove(stream);
    if (gone != null) {
      gone.close();
      free(gone.workspace());
    }
    super.destroy(stream);
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      // After a sticky error each of these fails too; the context goes all the same.
      JCudaDriver.cuCtxSetCurrent(context);
      products.values().forEach(CublasProducts::close);
      modules.forEach(JCudaDriver::cuModuleUnload);
      JCudaDriver.cuDevicePrimaryCtxRelease(device);
    }
  }
}
