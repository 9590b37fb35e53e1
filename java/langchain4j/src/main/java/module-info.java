/** LangChain4j chat models on Jlama and a SinkQ cache. */
module org.sinkq.langchain4j {
  requires transitive langchain4j.core;
  requires transitive org.sinkq.jlama;

  exports org.sinkq.langchain4j;
}
