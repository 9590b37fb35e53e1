package org.sinkq.cuda;

import static org.sinkq.cuda.JcudaDriver.check;

import jcuda.driver.CUcontext;
import jcuda.driver.CUevent;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;
import org.sinkq.cuda.JcudaHandles.JEvent;
import org.sinkq.cuda.JcudaHandles.JGraph;
import org.sinkq.cuda.JcudaHandles.JStream;
import org.sinkq.cuda.JcudaHandles.StreamHandle;

/**
 * The order of a device's work through JCuda: streams, events, graphs. Every call binds the context
 * to the calling thread, whichever device that thread used before.
 */
abstract class JcudaStreams implements CudaDevice {
  private static final int NON_BLOCKING = 1;
  private static final int CAPTURE_RELAXED = 2;

  /** The device's primary context, once the subclass has retained it. */
  final CUcontext context = new CUcontext();

  final void bind() {
    check(JCudaDriver.cuCtxSetCurrent(context), "binding the context");
  }

  /** JCuda's own handle, for its other libraries. */
  static CUstream raw(Stream stream) {
    return ((JStream) stream).handle();
  }

  private static CUevent raw(Event event) {
    return ((JEvent) event).handle();
  }

  @Override
  public Stream createStream() {
    bind();
    StreamHandle stream = new StreamHandle();
    check(JCudaDriver.cuStreamCreate(stream, NON_BLOCKING), "creating a stream");
    return new JStream(stream);
  }

  @Override
  public void synchronize(Stream stream) {
    bind();
    check(JCudaDriver.cuStreamSynchronize(raw(stream)), "waiting for the device");
  }

  @Override
  public long handle(Stream stream) {
    return ((JStream) stream).handle().value();
  }

  @Override
  public void destroy(Stream stream) {
    bind();
    check(JCudaDriver.cuStreamDestroy(raw(stream)), "destroying a stream");
  }

  @Override
  public Event createEvent() {
    bind();
    CUevent event = new CUevent();
    check(JCudaDriver.cuEventCreate(event, 0), "creating an event");
    return new JEvent(event);
  }

  @Override
  public void record(Event event, Stream stream) {
    bind();
    check(JCudaDriver.cuEventRecord(raw(event), raw(stream)), "recording an event");
  }

  @Override
  public void await(Stream stream, Event event) {
    bind();
    check(JCudaDriver.cuStreamWaitEvent(raw(stream), raw(event), 0), "waiting for an event");
  }

  @Override
  public boolean isDone(Event event) {
    bind();
    int result = JCudaDriver.cuEventQuery(raw(event));
    if (result != CUresult.CUDA_ERROR_NOT_READY) {
      check(result, "looking at an event");
    }
    return result == CUresult.CUDA_SUCCESS;
  }

  @Override
  public void awaitOnHost(Event event) {
    bind();
    check(JCudaDriver.cuEventSynchronize(raw(event)), "waiting for the device");
  }

  @Override
  public float elapsedMillis(Event from, Event to) {
    bind();
    check(JCudaDriver.cuEventSynchronize(raw(to)), "waiting for an event");
    float[] millis = new float[1];
    check(JCudaDriver.cuEventElapsedTime(millis, raw(from), raw(to)), "reading a time");
    return millis[0];
  }

  @Override
  public void destroy(Event event) {
    bind();
    check(JCudaDriver.cuEventDestroy(raw(event)), "destroying an event");
  }

  @Override
  public void beginCapture(Stream stream) {
    bind();
    check(JCudaDriver.cuStreamBeginCapture(raw(stream), CAPTURE_RELAXED), "beginning a capture");
  }

  @Override
  public Graph endCapture(Stream stream) {
    bind();
    CUgraph graph = new CUgraph();
    check(JCudaDriver.cuStreamEndCapture(raw(stream), graph), "ending a capture");
    CUgraphExec exec = new CUgraphExec();
    check(JCudaDriver.cuGraphInstantiate(exec, graph, 0), "instantiating a graph");
    return new JGraph(exec, graph);
  }

  @Override
  public void abandonCapture(Stream stream) {
    CUgraph graph = new CUgraph();
    boolean ended =
        JCudaDriver.cuCtxSetCurrent(context) == CUresult.CUDA_SUCCESS
            && JCudaDriver.cuStreamEndCapture(raw(stream), graph) == CUresult.CUDA_SUCCESS;
    if (ended) {
      JCudaDriver.cuGraphDestroy(graph);
    }
  }

  @Override
  public void launch(Graph graph, Stream stream) {
    bind();
    check(JCudaDriver.cuGraphLaunch(((JGraph) graph).handle(), raw(stream)), "launching a graph");
  }

  @Override
  public void destroy(Graph graph) {
    bind();
    JGraph g = (JGraph) graph;
    check(JCudaDriver.cuGraphExecDestroy(g.handle()), "destroying a graph");
    check(JCudaDriver.cuGraphDestroy(g.source()), "destroying a graph");
  }
}
