package org.sinkq.cli.models;

/** A model is not there, cannot be fetched or is damaged; the message says what to do. */
public final class ModelStoreException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  ModelStoreException(String message) {
    super(message);
  }

  ModelStoreException(String message, Throwable cause) {
    super(message, cause);
  }
}
