// Stable names: NAME(append_d, HEAD_DIM) is append_d128.
#pragma once

#define JOIN(a, b) a##b
#define NAME(prefix, dim) JOIN(prefix, dim)
