package org.sinkq.cuda;

import java.lang.foreign.MemorySegment;
import java.util.OptionalInt;

/**
 * The part of the CUDA driver interface that the engine uses, on one device. {@link JcudaDevice} is
 * the real one; tests put an interpreter of the same PTX behind it.
 *
 * <p>Addresses are device addresses in bytes. Work on a stream runs in order; host memory handed to
 * an asynchronous copy stays untouched until the stream has passed it. Every method throws {@link
 * org.sinkq.DeviceException} with the driver's error name. Not thread-safe, but callable from any
 * thread.
 */
public interface CudaDevice extends AutoCloseable {
  /** An in-order queue of work. */
  interface Stream {}

  /** A point in a stream. */
  interface Event {}

  /** A loaded PTX file. */
  interface Module {}

  /** An entry of a module. */
  interface Function {}

  /** Captured work, ready to be replayed. */
  interface Graph {}

  /**
   * What the device is.
   *
   * @param name marketing name
   * @param major compute capability, first number
   * @param minor compute capability, second number
   * @param driverVersion newest CUDA version that the driver supports, 1000 * major + 10 * minor
   * @param multiprocessors number of SMs
   * @param sharedBytesPerBlock most dynamic shared memory that a block can opt in to
   * @param l2Bytes size of the L2 cache
   */
  record Facts(
      String name,
      int major,
      int minor,
      int driverVersion,
      int multiprocessors,
      int sharedBytesPerBlock,
      long l2Bytes) {}

  /**
   * What one compiled entry takes.
   *
   * @param registers of a thread
   * @param staticSharedBytes of a block
   * @param localBytes of a thread: spills and stack
   */
  record FunctionFacts(int registers, int staticSharedBytes, int localBytes) {}

  /**
   * Device memory.
   *
   * @param freeBytes what can still be allocated
   * @param totalBytes what the device has
   */
  record MemoryInfo(long freeBytes, long totalBytes) {}

  /** What the device is. */
  Facts facts();

  /** Its number among the devices of the machine. */
  int ordinal();

  /**
   * The number of the device whose memory an address is, if that is another one and this one cannot
   * reach it; empty where that is not so or cannot be told.
   */
  OptionalInt foreignOwner(long address);

  /** Free and total memory. */
  MemoryInfo memory();

  /** Allocates device memory, aligned to at least 256 bytes; the content is undefined. */
  long allocate(long bytes);

  /** Frees device memory; work that uses it must have finished. */
  void free(long address);

  /** Allocates page-locked host memory, from which copies are asynchronous and fast. */
  MemorySegment allocatePinned(long bytes);

  /** Frees memory that {@link #allocatePinned} returned. */
  void freePinned(MemorySegment pinned);

  /** Copies the whole of a native host segment to the device, asynchronously if it is pinned. */
  void copyToDevice(long to, MemorySegment from, Stream stream);

  /** Copies from the device, filling a native host segment, asynchronously if it is pinned. */
  void copyToHost(MemorySegment to, long from, Stream stream);

  /** Copies within the device; the ranges do not overlap. */
  void copy(long to, long from, long bytes, Stream stream);

  /** Sets bytes of device memory. */
  void fill(long to, byte value, long bytes, Stream stream);

  /**
   * Compiles and loads PTX text; the error of one that does not load carries the compiler's log.
   */
  Module load(String ptx);

  /** Finds an entry by name. */
  Function function(Module module, String name);

  /** What an entry takes. */
  FunctionFacts facts(Function function);

  /** Allows an entry's launches up to {@code bytes} of dynamic shared memory. */
  void allowDynamicShared(Function function, int bytes);

  /** Blocks of this shape that one SM holds at a time. */
  int blocksPerMultiprocessor(Function function, int blockThreads, int dynamicSharedBytes);

  /**
   * A launch with everything but the stream fixed, so that replaying it builds nothing.
   *
   * @param function the entry; it takes one parameter, a struct passed by value
   * @param gridX blocks in x
   * @param gridY blocks in y
   * @param gridZ blocks in z
   * @param blockThreads threads of a block, all in x
   * @param dynamicSharedBytes dynamic shared memory of a block
   * @param parameter native memory with the struct; read at every {@link #launch}
   */
  record Launch(
      Function function,
      int gridX,
      int gridY,
      int gridZ,
      int blockThreads,
      int dynamicSharedBytes,
      MemorySegment parameter) {}

  /** Queues a launch. */
  void launch(Launch launch, Stream stream);

  /** What becomes of the sums of a product. */
  enum Result {
    /** Written as fp32. */
    FLOAT,
    /** Added to fp32 numbers. */
    ADDED,
    /** Written as fp16; beyond its range infinite. */
    HALF
  }

  /**
   * A matrix product: {@code out[r][o] = sum over i of x[r][i] * weights[o][i]}, with fp16 operands
   * and fp32 sums.
   *
   * @param weights address of [outputs, inputs] fp16
   * @param x address of [rows, inputs] fp16
   * @param out address of [rows, outputs]
   * @param rows of x
   * @param outputs rows of the weights
   * @param inputs columns of both
   * @param result what is done to {@code out}
   */
  record Product(
      long weights, long x, long out, int rows, int outputs, int inputs, Result result) {}

  /**
   * Makes {@link #multiply} available on a stream, until that is destroyed. Recordings of the
   * stream may hold products from then on: they allocate nothing.
   *
   * @throws org.sinkq.DeviceException if cuBLAS is missing, saying where it was looked for
   */
  void prepareProducts(Stream stream);

  /** Queues a matrix product on a stream that is prepared for them. */
  void multiply(Product product, Stream stream);

  /** Creates a stream that does not wait for any other. */
  Stream createStream();

  /** Waits until all work of a stream is done, and reports its errors. */
  void synchronize(Stream stream);

  /** The driver's own handle of a stream (CUstream). */
  long handle(Stream stream);

  /** Gives up a stream. */
  void destroy(Stream stream);

  /** Creates an event that records times. */
  Event createEvent();

  /** Marks the present end of a stream. */
  void record(Event event, Stream stream);

  /** Lets a stream's later work wait for an event. */
  void await(Stream stream, Event event);

  /** Whether everything in front of a recorded event is done; reports errors. */
  boolean isDone(Event event);

  /** Waits until everything in front of a recorded event is done, and reports errors. */
  void awaitOnHost(Event event);

  /** Milliseconds between two recorded events, waiting for the second. */
  float elapsedMillis(Event from, Event to);

  /** Gives up an event. */
  void destroy(Event event);

  /** From here on work on the stream is recorded instead of run. */
  void beginCapture(Stream stream);

  /** Ends the recording and prepares its replay. */
  Graph endCapture(Stream stream);

  /** Ends the recording, or what is left of one that failed, and drops it. Never throws. */
  void abandonCapture(Stream stream);

  /** Queues a replay. */
  void launch(Graph graph, Stream stream);

  /** Gives up a graph. */
  void destroy(Graph graph);

  /** Unloads the modules and gives up the device; never throws. */
  @Override
  void close();
}
