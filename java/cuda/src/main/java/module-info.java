/** The CUDA engine: PTX kernels launched through JCuda. */
module org.sinkq.cuda {
  requires jcuda;
  requires org.sinkq.core;

  provides org.sinkq.engine.EngineProvider with
      org.sinkq.cuda.CudaEngineProvider;
}
