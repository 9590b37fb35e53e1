package org.sinkq.cuda;

/**
 * What a host needs that computes on the engine's device: found through {@link
 * org.sinkq.AttentionBackend#engineAs}.
 */
public interface CudaHost {
  /** The device. */
  CudaDevice device();

  /** The engine's stream: what is queued here runs in order with the steps. */
  CudaDevice.Stream stream();
}
