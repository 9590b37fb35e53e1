/** Jlama models whose attention and KV cache are SinkQ's. */
module org.sinkq.jlama {
  requires transitive org.sinkq.core;
  requires transitive jlama.core;
  requires com.fasterxml.jackson.databind;

  exports org.sinkq.jlama;
}
