/** A host that runs Llama-family models from GGUF files on a SinkQ cache. */
module org.sinkq.llm {
  requires transitive org.sinkq.core;
  requires static jdk.incubator.vector;
  requires static org.sinkq.cuda;
  requires com.fasterxml.jackson.core;
  requires java.desktop; // java.beans, through which Jinjava looks at objects.
  requires jinjava;

  exports org.sinkq.llm;
  exports org.sinkq.llm.convert;
  exports org.sinkq.llm.generate;
  exports org.sinkq.llm.gguf;
  exports org.sinkq.llm.safetensors;
  exports org.sinkq.llm.text;
}
