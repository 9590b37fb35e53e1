package org.sinkq;

/** The engine that was asked for cannot run here; the message gives the reason and the remedy. */
public final class EngineUnavailableException extends SinkQException {
  private static final long serialVersionUID = 1L;

  private final transient EngineStatus status;

  /** Creates the error from a probe's result. */
  public EngineUnavailableException(EngineStatus status) {
    super(
        "engine '" + status.name() + "' cannot run: " + status.reason() + "; " + status.remedy(),
        null);
    this.status = status;
  }

  /** What the probe found; null after deserialization. */
  public EngineStatus status() {
    return status;
  }
}
