/** JMH benchmarks, and the tables that the README quotes. */
module org.sinkq.bench {
  requires java.management;
  requires jdk.management;
  requires jmh.core;
  requires org.sinkq.core;

  uses org.sinkq.engine.EngineProvider;
}
