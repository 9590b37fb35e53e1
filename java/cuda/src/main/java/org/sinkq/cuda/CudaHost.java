package org.sinkq.cuda;

/**
 * What a host needs that computes on the engine's device: found through {@link
 * org.sinkq.AttentionBackend#engineAs}.
 *
 * <p>Every call on the device, and every step of the backend, leaves the device's primary context
 * current on the calling thread. A host that works on several devices from one thread binds its own
 * before its own calls of the driver.
 */
public interface CudaHost {
  /** The device. */
  CudaDevice device();

  /** The engine's stream: what is queued here runs in order with the steps. */
  CudaDevice.Stream stream();
}
