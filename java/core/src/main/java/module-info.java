/** 2-bit KV cache with dynamic sink tracking: the API, the bookkeeping and the CPU engine. */
module org.sinkq.core {
  requires static jdk.incubator.vector;
  requires java.management;
  requires jdk.management;

  exports org.sinkq;
  exports org.sinkq.cache;
  exports org.sinkq.concurrent;
  exports org.sinkq.engine;
  exports org.sinkq.layout;

  uses org.sinkq.engine.EngineProvider;

  provides org.sinkq.engine.EngineProvider with
      org.sinkq.cpu.CpuEngineProvider;
}
