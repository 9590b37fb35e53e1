/** The CUDA engine: PTX kernels launched through JCuda. */
module org.sinkq.cuda {
  requires jcublas;
  requires jcuda;
  requires transitive org.sinkq.core;

  exports org.sinkq.cuda;

  provides org.sinkq.engine.EngineProvider with
      org.sinkq.cuda.CudaEngineProvider;
}
