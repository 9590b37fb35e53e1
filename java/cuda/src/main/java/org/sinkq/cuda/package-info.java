/**
 * The CUDA engine.
 *
 * <pre>
 *   CudaDevice ◄── JcudaDevice (JCuda, the driver)
 *        ▲
 *        └──────── test scope: an interpreter of the same PTX
 * </pre>
 */
package org.sinkq.cuda;
