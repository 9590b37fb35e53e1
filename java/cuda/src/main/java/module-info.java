/** The CUDA engine: PTX kernels launched through JCuda. */
module org.sinkq.cuda {
  requires jcuda;
  requires org.sinkq.core;
}
