/** The {@code sinkq} command. */
module org.sinkq.cli {
  requires com.fasterxml.jackson.core;
  requires info.picocli;
  requires jdk.management;
  requires org.sinkq.cuda;
  requires org.sinkq.llm;

  // picocli reads and fills annotated fields.
  opens org.sinkq.cli to
      info.picocli;
}
