/**
 * The CUDA engine: pages and rows in device memory, the kernels of {@code cuda-kernels/} as PTX.
 *
 * <pre>
 *   CudaEngineProvider ─ probe, footprint, open
 *      │  CudaRuntime     the open devices of the process, from a CudaDriver: JcudaDriver
 *   CudaEngine         ─ device memory, reading back
 *   CudaStep           ─ append ─► attend ─► mass ─► select ─► pack      one stream, in this order; a decode
 *      │                             step appends within attend, and selects and packs only where a page
 *      │                             fills; mass where sinks go by it and attend
 *      │                             has not given it
 *      │  StepTables      the plan as ints: sequences, page ids, items of attend and prefill
 *      │  SinkMirror      sink tables up and down
 *      │  SequenceCopies  pages and rows of saved sequences; CudaPages, their order
 *      │  OperandStaging  host tensors through page-locked memory
 *      │  LayerLaunches   grids of the kernels, for steps and graphs alike
 *   CudaGraph          ─ the same launches of all layers, recorded once; select ─► pack beside the next layers
 *      │  ReplayTables    the plan at fixed places
 *      │  ReplayLog       steps under way, and what they bring back
 *      ▼
 *   CudaDevice ◄── JcudaDevice (JCuda; JcudaStreams) ── CublasProducts (JCublas) ── CublasLibrary
 *        ▲
 *        └──────── test scope: an interpreter of the same PTX
 * </pre>
 *
 * A host that computes on the same device finds it as {@link org.sinkq.cuda.CudaHost}: products of
 * matrices are the device's, the rest of a forward pass is {@link org.sinkq.cuda.ForwardKernels}.
 */
package org.sinkq.cuda;
