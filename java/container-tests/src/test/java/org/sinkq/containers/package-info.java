/**
 * The images on a real Docker Engine.
 *
 * <pre>
 * docker/test ─► docker/base, docker/build ─► image ─┐   sinkq.image, sinkq.baseImage, sinkq.distribution
 *                                                    ▼
 *             SinkqContainer: read-only root, no capabilities, no network, memory limit
 *                │ mounts: /models (ro), /work (rw), class path of the contract (ro)
 *                ▼
 *             Outcome: exit code, stdout, stderr
 * </pre>
 *
 * <p>Tests tagged {@code docker} need an engine and the image; {@code docker gpu} an NVIDIA run
 * time as well; {@code model} the default model. {@code docker/test} excludes by tag what cannot
 * run and says so. Containers carry a label by which {@code docker/test} finds any that is left.
 */
package org.sinkq.containers;
