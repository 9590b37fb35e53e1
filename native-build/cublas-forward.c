/*
 * libcublas.so.12 for hosts that have only libcublas.so.13: passes on the functions that SinkQ calls through
 * JCublas, whose native library asks for that name and version. Their signatures are the same in both.
 * libcublas.so.13 has been loaded by then, so its name is enough to find it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>

static void *find(const char *name) {
  static void *library;
  if (library == NULL) library = dlopen("libcublas.so.13", RTLD_LAZY);
  return library == NULL ? NULL : dlsym(library, name);
}

/* CUBLAS_STATUS_NOT_INITIALIZED */
enum { NOT_INITIALIZED = 1 };

#define FORWARD(name, parameters, arguments)                \
  int name parameters {                                     \
    static int (*target) parameters;                        \
    if (target == NULL) target = (int(*) parameters)find(#name); \
    return target == NULL ? NOT_INITIALIZED : target arguments;  \
  }

FORWARD(cublasCreate_v2, (void **handle), (handle))
FORWARD(cublasDestroy_v2, (void *handle), (handle))
FORWARD(cublasSetStream_v2, (void *handle, void *stream), (handle, stream))
FORWARD(cublasSetWorkspace_v2, (void *handle, void *workspace, size_t bytes), (handle, workspace, bytes))
FORWARD(cublasSetMathMode, (void *handle, int mode), (handle, mode))
FORWARD(cublasGemmEx,
        (void *handle, int transa, int transb, int m, int n, int k, const void *alpha, const void *a, int a_type,
         int lda, const void *b, int b_type, int ldb, const void *beta, void *c, int c_type, int ldc, int compute_type,
         int algo),
        (handle, transa, transb, m, n, k, alpha, a, a_type, lda, b, b_type, ldb, beta, c, c_type, ldc, compute_type,
         algo))
/* The benchmark's baseline. */
FORWARD(cublasGemmStridedBatchedEx,
        (void *handle, int transa, int transb, int m, int n, int k, const void *alpha, const void *a, int a_type,
         int lda, long long a_stride, const void *b, int b_type, int ldb, long long b_stride, const void *beta, void *c,
         int c_type, int ldc, long long c_stride, int count, int compute_type, int algo),
        (handle, transa, transb, m, n, k, alpha, a, a_type, lda, a_stride, b, b_type, ldb, b_stride, beta, c, c_type,
         ldc, c_stride, count, compute_type, algo))
