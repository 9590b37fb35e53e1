package org.sinkq.cuda;

/** The CUDA devices of a machine, by number. */
interface CudaDriver {
  /** How many there are. */
  int count();

  /** What one of them is, without opening it. */
  CudaDevice.Facts facts(int ordinal);

  /** Opens one of them. */
  CudaDevice open(int ordinal);
}
