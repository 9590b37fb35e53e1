package org.sinkq.cuda.ptx;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.OptionalInt;
import java.util.SplittableRandom;
import org.sinkq.DeviceException;
import org.sinkq.cuda.CudaDevice;

/**
 * A device that interprets PTX. It behaves as the rules of CUDA allow at worst: streams run late,
 * warps in any order, asynchronous copies land when they must. All of that follows from one seed. A
 * kernel that the sanitizer ends leaves the device failed for good, as a sticky error does.
 */
public final class InterpretedDevice implements CudaDevice {
  /** What the host gets for a byte that nobody wrote. */
  private static final byte UNINITIALISED = (byte) 0xcb;

  private static final int LOG_ENTRIES = 1000;

  private record Recorded(List<InterpretedStream.Work> work) implements Graph {}

  private final Facts facts;
  private final long totalBytes;
  private final SplittableRandom random;
  private final int ordinal;
  private final DeviceMemory memory;
  private final List<InterpretedStream> streams = new ArrayList<>();
  private final PinnedMemory pinned = new PinnedMemory();
  private final Deque<String> log = new ArrayDeque<>();
  private DeviceException failure;
  private long instructions;

  /**
   * Creates a device.
   *
   * @param facts what it claims to be
   * @param totalBytes of device memory
   * @param seed of everything that the rules leave open
   */
  public InterpretedDevice(Facts facts, long totalBytes, long seed) {
    this(facts, totalBytes, seed, 0);
  }

  /** One of several devices, with addresses of its own. */
  public InterpretedDevice(Facts facts, long totalBytes, long seed, int ordinal) {
    this.ordinal = ordinal;
    memory = new DeviceMemory(ordinal);
    this.facts = facts;
    this.totalBytes = totalBytes;
    random = new SplittableRandom(seed);
  }

  /** A small device that runs any PTX up to sm_90a. */
  public static InterpretedDevice hopper(long seed) {
    return new InterpretedDevice(
        new Facts("interpreted sm_90", 9, 0, 13000, 2, LoadedEntry.MOST_SHARED, 50L << 20),
        1L << 30,
        seed);
  }

  /** A small device of the first generation that the kernels support. */
  public static InterpretedDevice ampere(long seed) {
    return new InterpretedDevice(
        new Facts("interpreted sm_80", 8, 0, 13000, 2, 163 << 10, 40L << 20), 1L << 30, seed);
  }

  /** The latest work that ran: launches, copies, fills, in order. */
  public List<String> log() {
    return List.copyOf(log);
  }

  /** Warp instructions run so far. */
  public long instructions() {
    return instructions;
  }

  /** Allocations that are not freed, the variables of modules included. */
  public int allocations() {
    return memory.count();
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
    int owner = DeviceMemory.ordinalOf(address);
    return owner == ordinal ? OptionalInt.empty() : OptionalInt.of(owner);
  }

  @Override
  public MemoryInfo memory() {
    check();
    return new MemoryInfo(totalBytes - memory.used(), totalBytes);
  }

  @Override
  public long allocate(long bytes) {
    check();
    if (bytes <= 0) {
      throw DeviceErrors.invalidValue("allocating " + bytes + " bytes");
    }
    if (bytes > totalBytes - memory.used()) {
      throw DeviceErrors.error(
          2,
          "CUDA_ERROR_OUT_OF_MEMORY",
          "allocating %d bytes, free=%d, total=%d"
              .formatted(bytes, totalBytes - memory.used(), totalBytes));
    }
    return memory.allocate(bytes, "allocation of " + bytes + " bytes", false).base;
  }

  @Override
  public void free(long address) {
    if (!memory.free(address)) {
      throw DeviceErrors.invalidValue("freeing address=" + Fault.hex(address));
    }
  }

  @Override
  public MemorySegment allocatePinned(long bytes) {
    check();
    return pinned.allocate(bytes);
  }

  @Override
  public void freePinned(MemorySegment segment) {
    if (!pinned.free(segment)) {
      throw DeviceErrors.invalidValue("freeing host memory that is not page-locked");
    }
  }

  @Override
  public void copyToDevice(long to, MemorySegment from, Stream stream) {
    check();
    DeviceMemory.Range range = range(to, from.byteSize(), Space.Access.WRITE);
    // What is not page-locked has been read when the call returns.
    MemorySegment source =
        pinned.holds(from) ? from : MemorySegment.ofArray(from.toArray(ValueLayout.JAVA_BYTE));
    queue(
        stream,
        "copy %d bytes to the device".formatted(from.byteSize()),
        () -> {
          MemorySegment.copy(
              source,
              0,
              MemorySegment.ofArray(range.allocation().data),
              range.offset(),
              source.byteSize());
          range.allocation().init.set(range.offset(), (int) source.byteSize(), true);
        });
  }

  @Override
  public void copyToHost(MemorySegment to, long from, Stream stream) {
    check();
    DeviceMemory.Range range = range(from, to.byteSize(), Space.Access.READ);
    queue(
        stream,
        "copy %d bytes to the host".formatted(to.byteSize()),
        () -> {
          MemorySegment.copy(
              MemorySegment.ofArray(range.allocation().data), range.offset(), to, 0, to.byteSize());
          // Padding may be copied, but is never what somebody hopes for.
          for (int i = 0; i < to.byteSize(); i++) {
            if (!range.allocation().init.get(range.offset() + i)) {
              to.set(ValueLayout.JAVA_BYTE, i, UNINITIALISED);
            }
          }
        });
    if (!pinned.holds(to) && !stream(stream).capturing()) {
      drain(stream(stream));
      check();
    }
  }

  @Override
  public void copy(long to, long from, long bytes, Stream stream) {
    check();
    DeviceMemory.Range source = range(from, bytes, Space.Access.READ);
    DeviceMemory.Range target = range(to, bytes, Space.Access.WRITE);
    queue(
        stream,
        "copy %d bytes".formatted(bytes),
        () -> {
          System.arraycopy(
              source.allocation().data,
              source.offset(),
              target.allocation().data,
              target.offset(),
              (int) bytes);
          target
              .allocation()
              .init
              .copy(target.offset(), source.allocation().init, source.offset(), (int) bytes);
        });
  }

  @Override
  public void fill(long to, byte value, long bytes, Stream stream) {
    check();
    DeviceMemory.Range range = range(to, bytes, Space.Access.WRITE);
    queue(
        stream,
        "fill %d bytes".formatted(bytes),
        () -> {
          java.util.Arrays.fill(
              range.allocation().data, range.offset(), range.offset() + (int) bytes, value);
          range.allocation().init.set(range.offset(), (int) bytes, true);
        });
  }

  private DeviceMemory.Range range(long address, long bytes, Space.Access access) {
    try {
      return memory.range(-1, address, bytes, access);
    } catch (Fault fault) {
      throw DeviceErrors.invalidValue(fault.getMessage());
    }
  }

  @Override
  public Module load(String ptx) {
    check();
    return LoadedModule.load(ptx, memory);
  }

  @Override
  public Function function(Module module, String name) {
    check();
    return ((LoadedModule) module).entry(name);
  }

  @Override
  public FunctionFacts facts(Function function) {
    return ((LoadedEntry) function).facts();
  }

  @Override
  public void allowDynamicShared(Function function, int bytes) {
    check();
    ((LoadedEntry) function).allowDynamicShared(bytes, facts.sharedBytesPerBlock());
  }

  @Override
  public int blocksPerMultiprocessor(Function function, int blockThreads, int dynamicSharedBytes) {
    check();
    return ((LoadedEntry) function).blocksPerMultiprocessor(blockThreads, dynamicSharedBytes);
  }

  @Override
  public void launch(Launch launch, Stream stream) {
    check();
    LoadedEntry entry = (LoadedEntry) launch.function();
    GridShape shape = entry.shape(launch);
    byte[] params = entry.parameters(launch);
    queue(
        stream,
        "launch " + entry.program().name(),
        () ->
            instructions +=
                new Grid(entry.program(), shape, memory, params, random.nextLong()).run());
  }

  @Override
  public void prepareProducts(Stream stream) {
    check();
  }

  @Override
  public void multiply(Product p, Stream stream) {
    check();
    long weightBytes = (long) p.outputs() * p.inputs() * Short.BYTES;
    long xBytes = (long) p.rows() * p.inputs() * Short.BYTES;
    int elementBytes = p.result() == Result.HALF ? Short.BYTES : Float.BYTES;
    long outBytes = (long) p.rows() * p.outputs() * elementBytes;
    DeviceMemory.Range weights = range(p.weights(), weightBytes, Space.Access.READ);
    DeviceMemory.Range x = range(p.x(), xBytes, Space.Access.READ);
    DeviceMemory.Range out = range(p.out(), outBytes, Space.Access.WRITE);
    queue(
        stream,
        "product [%d, %d, %d]".formatted(p.rows(), p.outputs(), p.inputs()),
        () -> Products.multiply(p, weights, x, out));
  }

  @Override
  public Stream createStream() {
    check();
    InterpretedStream stream = new InterpretedStream();
    streams.add(stream);
    return stream;
  }

  @Override
  public void synchronize(Stream stream) {
    check();
    if (stream(stream).capturing()) {
      throw DeviceErrors.error(
          900, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "synchronizing during a capture");
    }
    drain(stream(stream));
    check();
  }

  @Override
  public long handle(Stream stream) {
    return 1L + streams.indexOf(stream(stream));
  }

  @Override
  public void destroy(Stream stream) {
    drain(stream(stream));
    streams.remove(stream(stream));
  }

  @Override
  public Event createEvent() {
    check();
    return new InterpretedStream.Marker();
  }

  @Override
  public void record(Event event, Stream stream) {
    check();
    stream(stream).record((InterpretedStream.Marker) event);
  }

  @Override
  public void await(Stream stream, Event event) {
    check();
    stream(stream).await((InterpretedStream.Marker) event);
  }

  @Override
  public boolean isDone(Event event) {
    check();
    return ((InterpretedStream.Marker) event).passed();
  }

  @Override
  public void awaitOnHost(Event event) {
    check();
    InterpretedStream.Marker marker = (InterpretedStream.Marker) event;
    if (!marker.recorded()) {
      throw DeviceErrors.error(
          400, "CUDA_ERROR_INVALID_HANDLE", "waiting for an event that was not recorded");
    }
    drain(marker);
    check();
  }

  @Override
  public float elapsedMillis(Event from, Event to) {
    check();
    InterpretedStream.Marker first = (InterpretedStream.Marker) from;
    InterpretedStream.Marker second = (InterpretedStream.Marker) to;
    if (!first.recorded() || !second.recorded()) {
      throw DeviceErrors.error(
          400, "CUDA_ERROR_INVALID_HANDLE", "timing events that were not recorded");
    }
    streams.forEach(this::drain);
    check();
    return (second.nanos - first.nanos) / 1e6f;
  }

  @Override
  public void destroy(Event event) {
    // Nothing is held.
  }

  @Override
  public void beginCapture(Stream stream) {
    check();
    stream(stream).beginCapture();
  }

  @Override
  public Graph endCapture(Stream stream) {
    check();
    List<InterpretedStream.Work> work = stream(stream).capture();
    if (work == null) {
      throw DeviceErrors.error(
          1, "CUDA_ERROR_ILLEGAL_STATE", "ending a capture that was not begun");
    }
    streams.forEach(s -> s.leave(work));
    return new Recorded(List.copyOf(work));
  }

  @Override
  public void abandonCapture(Stream stream) {
    List<InterpretedStream.Work> work = stream(stream).capture();
    if (work != null) {
      streams.forEach(s -> s.leave(work));
    }
  }

  @Override
  public void launch(Graph graph, Stream stream) {
    check();
    ((Recorded) graph).work.forEach(work -> queue(stream, work.name(), work.action()));
  }

  @Override
  public void destroy(Graph graph) {
    // Nothing is held.
  }

  @Override
  public void close() {
    streams.forEach(InterpretedStream::clear);
    pinned.close();
  }

  private static InterpretedStream stream(Stream stream) {
    return (InterpretedStream) stream;
  }

  private void queue(Stream stream, String name, Runnable action) {
    InterpretedStream target = stream(stream);
    target.add(
        new InterpretedStream.Work(
            name,
            () -> {
              if (log.size() == LOG_ENTRIES) {
                log.remove();
              }
              log.add(name);
              action.run();
            }));
    if (!target.capturing() && random.nextInt(4) == 0) {
      drain(target);
    }
  }

  private void drain(InterpretedStream stream) {
    guarded(stream, stream::run);
  }

  /** Runs a stream as far as a marker. */
  private void drain(InterpretedStream.Marker marker) {
    guarded(marker.stream(), marker::pass);
  }

  private void guarded(InterpretedStream stream, Runnable work) {
    if (failure != null) {
      stream.clear();
      return;
    }
    try {
      work.run();
    } catch (KernelFault fault) {
      failure = DeviceErrors.of(fault);
      streams.forEach(InterpretedStream::clear);
    } catch (DeviceException e) {
      failure = e;
      streams.forEach(InterpretedStream::clear);
    }
  }

  /** Throws the sticky error, if there is one. */
  private void check() {
    if (failure != null) {
      throw DeviceErrors.again(failure);
    }
  }
}
