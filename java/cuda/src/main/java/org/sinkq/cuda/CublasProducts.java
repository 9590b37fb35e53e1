package org.sinkq.cuda;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.LongFunction;
import jcuda.Pointer;
import jcuda.driver.CUstream;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasComputeType;
import jcuda.jcublas.cublasGemmAlgo;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasOperation;
import jcuda.jcublas.cublasStatus;
import jcuda.runtime.cudaStream_t;
import org.sinkq.DeviceException;

/**
 * Matrix products of one stream through JCublas, on the context that is bound to the calling
 * thread.
 */
final class CublasProducts implements AutoCloseable {
  /** cudaDataType of fp16 and fp32. */
  private static final int HALF = 2;

  private static final int FLOAT = 0;

  /**
   * CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION: a product that is split gives its partial
   * sums in fp32 where the result is fp16.
   */
  private static final int NO_REDUCED_SUMS = 16;

  /** What cuBLAS recommends for Hopper; a workspace of its own lets products be captured. */
  static final long WORKSPACE_BYTES = 32L << 20;

  private final cublasHandle handle = new cublasHandle();
  private final long workspace;
  private final LongFunction<Pointer> pointers;
  private final Pointer one;
  private final Pointer zero;

  /**
   * Loads cuBLAS.
   *
   * @param stream of all products
   * @param workspace device memory of {@link #WORKSPACE_BYTES}; nobody else uses it
   * @param pointers makes JCuda's pointers of addresses
   * @throws DeviceException if the library is missing, saying where it was looked for
   */
  CublasProducts(CUstream stream, long workspace, LongFunction<Pointer> pointers) {
    this.workspace = workspace;
    this.pointers = pointers;
    JCublas2.setExceptionsEnabled(false);
    check(JCublas2.cublasCreate(handle), "creating a cuBLAS handle");
    // In this order: choosing a stream takes the workspace away.
    check(JCublas2.cublasSetStream(handle, new cudaStream_t(stream)), "choosing a stream");
    check(
        JCublas2.cublasSetWorkspace(handle, pointers.apply(workspace), WORKSPACE_BYTES),
        "giving cuBLAS its workspace");
    check(JCublas2.cublasSetMathMode(handle, NO_REDUCED_SUMS), "asking cuBLAS for sums in fp32");
    // The handle may outlive any scope; two floats are no loss.
    MemorySegment factors = Arena.global().allocate(JAVA_FLOAT, 2);
    factors.setAtIndex(JAVA_FLOAT, 0, 1);
    one = pointers.apply(factors.address());
    zero = pointers.apply(factors.address() + Float.BYTES);
  }

  /** Address of the workspace. */
  long workspace() {
    return workspace;
  }

  private static void check(int status, String action, Object... values) {
    if (status != cublasStatus.CUBLAS_STATUS_SUCCESS) {
      throw CudaErrors.error(status, cublasStatus.stringFor(status), action, values);
    }
  }

  /** Queues a product. cuBLAS counts by columns, so it computes the transposed result. */
  void multiply(CudaDevice.Product p) {
    check(
        JCublas2.cublasGemmEx_new(
            handle,
            cublasOperation.CUBLAS_OP_T,
            cublasOperation.CUBLAS_OP_N,
            p.outputs(),
            p.rows(),
            p.inputs(),
            one,
            pointers.apply(p.weights()),
            HALF,
            p.inputs(),
            pointers.apply(p.x()),
            HALF,
            p.inputs(),
            p.result() == CudaDevice.Result.ADDED ? one : zero,
            pointers.apply(p.out()),
            p.result() == CudaDevice.Result.HALF ? HALF : FLOAT,
            p.outputs(),
            cublasComputeType.CUBLAS_COMPUTE_32F,
            cublasGemmAlgo.CUBLAS_GEMM_DEFAULT),
        "multiplying [%d, %d] by [%d, %d]",
        p.rows(),
        p.inputs(),
        p.inputs(),
        p.outputs());
  }

  @Override
  public void close() {
    JCublas2.cublasDestroy(handle);
  }
}
