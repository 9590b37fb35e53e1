package org.sinkq.cuda;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import jcuda.Pointer;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasComputeType;
import jcuda.jcublas.cublasGemmAlgo;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasOperation;
import jcuda.jcublas.cublasStatus;
import jcuda.runtime.cudaStream_t;

/**
 * Plain decode attention over an fp16 cache, the baseline that anybody would write first: two
 * batched products of cuBLAS and a softmax between them. The query heads of a group are the rows of
 * one product, so keys and values are read once for all of them.
 *
 * <pre>
 *   S [batch, KV heads, group, tokens] = Q K^T / sqrt D ─► softmax in place ─► O = S V
 * </pre>
 *
 * Layers take turns, as many as it takes to be well beyond L2.
 */
final class CublasAttention implements AutoCloseable {
  private static final int HALF = 2; // cudaDataType of fp16
  private static final long BEYOND_L2 = 300L << 20;
  private static final long WORKSPACE_BYTES = 32L << 20;
  private static final int RANDOM_HALVES = 1 << 20;

  /** An address as JCuda wants it. */
  private static final class Address extends Pointer {
    Address(long address) {
      super(address);
    }
  }

  private final JcudaDevice device;
  private final CudaDevice.Stream stream;
  private final cublasHandle handle = new cublasHandle();
  private final Arena arena = Arena.ofConfined();
  private final int dim;
  private final int group;
  private final int products;
  private final int context;
  private final int layers;
  private final long cacheBytes;
  private final long workspace;
  private final long caches;
  private final long q;
  private final long logits;
  private final long out;
  private final CudaDevice.Launch softmax;
  private final MemorySegment factors = arena.allocate(JAVA_FLOAT, 3);

  /**
   * Allocates caches of random numbers.
   *
   * @param heads query heads, KV heads
   * @param context tokens, a multiple of {@link SoftmaxKernel#COLUMN_UNIT}
   * @throws org.sinkq.DeviceException if there is no cuBLAS, saying where it was looked for
   */
  CublasAttention(JcudaDevice device, int[] heads, int dim, int batch, int context) {
    this.device = device;
    this.dim = dim;
    this.context = context;
    group = heads[0] / heads[1];
    products = batch * heads[1];
    cacheBytes = (long) products * context * dim * Short.BYTES;
    layers = Math.clamp(BEYOND_L2 / (2 * cacheBytes), 1, 12);
    CublasLibrary.load();
    workspace = device.allocate(WORKSPACE_BYTES);
    caches = device.allocate(2L * layers * cacheBytes);
    q = device.allocate(queryBytes());
    out = device.allocate(queryBytes());
    logits = device.allocate((long) products * group * context * Short.BYTES);
    stream = device.createStream();
    fill(caches, 2L * layers * cacheBytes);
    fill(q, queryBytes());
    softmax = SoftmaxKernel.launch(device, logits, products * group, context);
    factors.setAtIndex(JAVA_FLOAT, 0, (float) (1 / Math.sqrt(dim)));
    factors.setAtIndex(JAVA_FLOAT, 1, 1);
    JCublas2.setExceptionsEnabled(false);
    check(JCublas2.cublasCreate(handle), "cublasCreate");
    check(
        JCublas2.cublasSetStream(handle, new cudaStream_t(JcudaStreams.raw(stream))),
        "cublasSetStream");
    check(
        JCublas2.cublasSetWorkspace(handle, new Address(workspace), WORKSPACE_BYTES),
        "cublasSetWorkspace");
  }

  private long queryBytes() {
    return (long) products * group * dim * Short.BYTES;
  }

  private void fill(long address, long bytes) {
    MemorySegment some = device.allocatePinned(Math.min(bytes, RANDOM_HALVES * Short.BYTES));
    SplittableRandom random = new SplittableRandom(address);
    for (long at = 0; at < some.byteSize(); at += Short.BYTES) {
      some.set(JAVA_SHORT, at, Float.floatToFloat16((float) random.nextGaussian()));
    }
    for (long at = 0; at < bytes; at += some.byteSize()) {
      long part = Math.min(some.byteSize(), bytes - at);
      device.copyToDevice(address + at, some.asSlice(0, part), stream);
    }
    device.synchronize(stream);
    device.freePinned(some);
  }

  private static void check(int status, String call) {
    if (status != cublasStatus.CUBLAS_STATUS_SUCCESS) {
      throw CudaErrors.error(status, cublasStatus.stringFor(status), call);
    }
  }

  private Pointer factor(int index) {
    return new Address(factors.address() + (long) index * Float.BYTES);
  }

  /** Queues the attention of one layer. cuBLAS counts by columns, so it computes transposes. */
  private void attend(int layer) {
    long keys = caches + 2L * layer * cacheBytes;
    check(product(cublasOperation.CUBLAS_OP_T, context, dim, 0, keys, q, logits), "Q K^T");
    device.launch(softmax, stream);
    long values = keys + cacheBytes;
    check(product(cublasOperation.CUBLAS_OP_N, dim, context, 1, values, logits, out), "S V");
  }

  /** For every KV head: [group, inner] times the cache as [inner, outer] or its transpose. */
  private int product(
      int operation, int outer, int inner, int factor, long cache, long from, long to) {
    long stride = (long) context * dim;
    return JCublas2.cublasGemmStridedBatchedEx_new(
        handle,
        operation,
        cublasOperation.CUBLAS_OP_N,
        outer,
        group,
        inner,
        factor(factor),
        new Address(cache),
        HALF,
        dim,
        stride,
        new Address(from),
        HALF,
        inner,
        (long) group * inner,
        factor(2),
        new Address(to),
        HALF,
        outer,
        (long) group * outer,
        products,
        cublasComputeType.CUBLAS_COMPUTE_32F,
        cublasGemmAlgo.CUBLAS_GEMM_DEFAULT);
  }

  /** Microseconds of one layer in a chain. */
  double micros() {
    attend(0); // cuBLAS chooses and loads its kernels.
    int chain = Math.max(1, 12 / layers) * layers;
    return GraphTimer.micros(device, stream, chain, i -> attend(i % layers));
  }

  /** Runs layer 0: [queries, keys, values, results], each as it lies in memory. */
  float[][] run() {
    attend(0);
    return new float[][] {
      read(q, queryBytes()),
      read(caches, cacheBytes),
      read(caches + cacheBytes, cacheBytes),
      read(out, queryBytes())
    };
  }

  private float[] read(long address, long bytes) {
    try (Arena memory = Arena.ofConfined()) {
      MemorySegment halves = memory.allocate(bytes, Long.BYTES);
      device.copyToHost(halves, address, stream);
      device.synchronize(stream);
      float[] x = new float[(int) (bytes / Short.BYTES)];
      for (int i = 0; i < x.length; i++) {
        x[i] = Float.float16ToFloat(halves.getAtIndex(JAVA_SHORT, i));
      }
      return x;
    }
  }

  @Override
  public void close() {
    device.synchronize(stream);
    JCublas2.cublasDestroy(handle);
    for (long address : new long[] {workspace, caches, q, logits, out}) {
      device.free(address);
    }
    device.destroy(stream);
    arena.close();
  }
}
