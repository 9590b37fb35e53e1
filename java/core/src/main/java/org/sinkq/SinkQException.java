package org.sinkq;

/** Base of every error this library raises; the four kinds ask for four different reactions. */
public abstract sealed class SinkQException extends RuntimeException
    permits InvalidArgumentException,
        CapacityExhaustedException,
        EngineUnavailableException,
        DeviceException {
  private static final long serialVersionUID = 1L;

  SinkQException(String message, Throwable cause) {
    super(message, cause);
  }
}
