/**
 * An interpreter of PTX: a {@link org.sinkq.cuda.CudaDevice} on which the shipped kernels run
 * without a GPU, a warp at a time, under a sanitizer and an adversarial schedule.
 *
 * <pre>
 *  PTX text ─► PtxLexer ─► PtxParser, BodyParser ─► PtxModule    names resolved, scopes flattened
 *                                                      │
 *              Decoder (families: IntegerOps, HalfOps, MemoryOps, MmaOps, ...)
 *                                                      ▼
 *                                            Program: Op[], offsets into register files
 *  InterpretedDevice ─ InterpretedStream ─► Grid ─► Block ─► Warp ─► Op
 *     LoadedModule, LoadedEntry,            seeded   barriers,   lanes in groups by pc
 *     PinnedMemory, streams, graphs         schedule mbarriers
 *  DeviceMemory   SharedSpace, RaceShadow + Clocks, LaneClocks   LocalSpace   ParamSpace   behind GenericSpace
 *  bounds, init   bounds, init, races                            bounds       read-only
 * </pre>
 *
 * <p>A warp's registers are plain arrays, 32 lanes side by side: {@code int} for 32 bits and less
 * (zero-extended), {@code long} for 64, one {@code int} of mask per predicate. Literals and special
 * registers are registers that nobody writes.
 *
 * <p>The machine is as bad as the rules allow. Uninitialised registers hold what was there before.
 * Blocks become resident in any order, a few at a time. A warp's slice ends after a random number
 * of instructions; diverged lanes may run ahead of each other. cp.async lands at the wait for it
 * and is its lane's alone until a barrier, bulk copies at a test of their mbarrier. Streams run
 * when somebody waits for them. Everything follows from the device's seed.
 *
 * <p>What the sanitizer finds ends the launch with kernel, line, block, warp, lane and address:
 * accesses outside an allocation, misaligned ones, reads of bytes that nobody wrote, uses of freed
 * memory, accesses of shared memory by two warps that no barrier orders, or by two lanes of a warp
 * that no {@code bar.warp.sync} orders (exchanges between lanes order no memory), barriers and
 * shuffles that lanes miss, warps that wait for ever. Not modelled: clusters, tensor maps, caches,
 * weak memory order (all accesses take effect in program order), and time.
 *
 * <p>The instructions of the kernels run once more as small programs ({@link
 * org.sinkq.cuda.ptx.PtxCases}) whose results plain Java computes; a GPU, where there is one, has
 * to give the same.
 */
package org.sinkq.cuda.ptx;
