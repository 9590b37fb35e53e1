"""Times PyTorch's fp16 attention on the shapes of the benchmark; needs torch with CUDA.

    python3 sdpa-baseline.py                           the benchmark's shapes
    python3 sdpa-baseline.py QO,KV,BATCH,CONTEXT ...   decode at these

Prints lines "decode QO_HEADS KV_HEADS BATCH CONTEXT BACKEND MICROS" and
"prefill QO_HEADS KV_HEADS ROWS BACKEND MICROS", the best way of each backend to take the shape.
"""

import statistics
import sys

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

DIM = 128
DECODE = [(32, 8, 1, 8), (32, 8, 1, 32), (32, 8, 1, 128), (32, 8, 8, 32), (32, 8, 32, 8), (32, 8, 8, 128),
          (64, 8, 8, 32), (32, 32, 8, 8)]
BACKENDS = {"cudnn": SDPBackend.CUDNN_ATTENTION, "flash": SDPBackend.FLASH_ATTENTION}
BEYOND_L2 = 300 << 20


def median_micros(calls, repeats=15):
    """Median over replays of a graph of all calls, per call."""
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for call in calls[:2]:
            call()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for call in calls:
            call()
    times = []
    for i in range(repeats + 3):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        graph.replay()
        end.record()
        end.synchronize()
        if i >= 3:
            times.append(start.elapsed_time(end) * 1000 / len(calls))
    return statistics.median(times)


def best(ways):
    """Smallest time of the ways that this backend takes, or None; says why it took none."""
    found, reason = None, ""
    for calls in ways:
        try:
            micros = median_micros(calls)
            found = micros if found is None else min(found, micros)
        except RuntimeError as e:
            reason = str(e).splitlines()[0]
    if found is None:
        print("not run:", reason, file=sys.stderr)
    return found


def rand(*shape):
    return torch.randn(*shape, dtype=torch.float16, device="cuda")


def decode(qo, kv, batch, context):
    layer = 2 * batch * kv * context * DIM * 2
    layers = max(1, min(12, BEYOND_L2 // layer))
    caches = [(rand(batch, kv, context, DIM), rand(batch, kv, context, DIM)) for _ in range(layers)]
    chain = [caches[i % layers] for i in range(max(1, 12 // layers) * layers)]
    grouped = rand(batch, kv, qo // kv, DIM)  # the query heads of a group as rows
    single = rand(batch, qo, 1, DIM)
    rows = [lambda k=k, v=v: F.scaled_dot_product_attention(grouped, k, v) for k, v in chain]
    heads = [lambda k=k, v=v: F.scaled_dot_product_attention(single, k, v, enable_gqa=qo != kv) for k, v in chain]
    return [rows, heads]


def prefill(qo, kv, rows):
    q, k, v = rand(1, qo, rows, DIM), rand(1, kv, rows, DIM), rand(1, kv, rows, DIM)
    wide_k, wide_v = (x.repeat_interleave(qo // kv, 1) for x in (k, v))
    shared = [lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)] * 3
    repeated = [lambda: F.scaled_dot_product_attention(q, wide_k, wide_v, is_causal=True)] * 3
    return [shared, repeated]


def run(name, backend, ways):
    with sdpa_kernel(BACKENDS[backend]):
        micros = best(ways)
    if micros is not None:
        print(name, backend, f"{micros:.2f}", flush=True)


def main():
    torch.manual_seed(1)
    asked = [tuple(map(int, shape.split(","))) for shape in sys.argv[1:]]
    for qo, kv, batch, context in asked or [(*heads, kilo * 1024) for *heads, kilo in DECODE]:
        ways = decode(qo, kv, batch, context)
        for backend in BACKENDS:
            run(f"decode {qo} {kv} {batch} {context}", backend, ways)
        del ways
        torch.cuda.empty_cache()
    if asked:
        return
    ways = prefill(32, 8, 8192)
    for backend in BACKENDS:
        run("prefill 32 8 8192", backend, ways)


if __name__ == "__main__":
    main()
