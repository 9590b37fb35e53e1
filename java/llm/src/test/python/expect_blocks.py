"""Random blocks of every weight type and what the package gguf dequantizes them to.

usage: expect_blocks.py OUT.bin

OUT holds, for each type in the order of TYPES: type number i32, elements i32, block bytes, elements f32;
little-endian. Scales are drawn among finite binary16 numbers, everything else is random bytes.
"""

import struct
import sys

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as T
from gguf.quants import dequantize

ELEMENTS = 1024

# Byte offsets of the binary16 fields within a block.
TYPES = {
    T.F16: [0],
    T.BF16: [],
    T.Q8_0: [0],
    T.Q4_0: [0],
    T.Q4_1: [0, 2],
    T.Q5_0: [0],
    T.Q5_1: [0, 2],
    T.Q4_K: [0, 2],
    T.Q5_K: [0, 2],
    T.Q6_K: [208],
}


def main(out_path):
    random = np.random.default_rng(20261124)
    with open(out_path, "wb") as out:
        for kind, halves in TYPES.items():
            elements, length = GGML_QUANT_SIZES[kind]
            blocks = random.integers(0, 256, (ELEMENTS // elements, length), dtype=np.uint8)
            for at in halves:
                # An exponent of all ones would be infinite or no number.
                high = blocks[:, at + 1]
                high[(high & 0x7C) == 0x7C] &= 0xBF
            if kind == T.BF16:
                blocks[:, 1] &= 0xBF
            data = blocks.reshape(1, -1)
            values = dequantize(data, kind).astype("<f4").reshape(-1)
            assert values.size == ELEMENTS and np.isfinite(values).all(), kind
            out.write(struct.pack("<ii", int(kind), ELEMENTS))
            out.write(data.tobytes())
            out.write(values.tobytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
