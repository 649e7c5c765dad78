//===- FakeBlas.cpp - A BLAS for tests ------------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// sgemm_ and dgemm_ as Fortran has them, with integers of 32 bits, that check
// their arguments. Calls are counted and, with KS_FAKE_BLAS_TRACE, written to
// stderr. With KS_FAKE_OLD it is an OpenBLAS that does not know the processor,
// with KS_FAKE_BROKEN it lacks dgemm_, and with KS_FAKE_WRONG it adds to what
// it is to overwrite.
//
//===----------------------------------------------------------------------===//

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

static int numCalls = 0, numMisuses = 0;

template <typename T>
static void multiply(char transA, char transB, int32_t m, int32_t n, int32_t k,
                     T alpha, const T *a, int32_t lda, const T *b, int32_t ldb,
                     T beta, T *c, int32_t ldc) {
  ++numCalls;
  bool isTransposed = transA == 'T';
  if ((!isTransposed && transA != 'N') || transB != 'N' || m < 0 || n < 0 ||
      k < 0 || lda < std::max(1, isTransposed ? k : m) ||
      ldb < std::max(1, k) || ldc < std::max(1, m)) {
    ++numMisuses;
    return;
  }
  if (std::getenv("KS_FAKE_BLAS_TRACE"))
    std::fprintf(stderr, "fake gemm: %d x %d x %d of %d bytes\n", m, n, k,
                 static_cast<int>(sizeof(T)));
  for (int64_t column = 0; column < n; ++column)
    for (int64_t row = 0; row < m; ++row) {
      T sum = 0;
      for (int64_t i = 0; i < k; ++i)
        sum += a[isTransposed ? row * lda + i : i * lda + row] *
               b[column * ldb + i];
      T &result = c[column * ldc + row];
#ifdef KS_FAKE_WRONG
      result = alpha * sum + beta * result;
#else
      result = beta == 0 ? alpha * sum : alpha * sum + beta * result;
#endif
    }
}

extern "C" {
void sgemm_(const char *transA, const char *transB, const int32_t *m,
            const int32_t *n, const int32_t *k, const float *alpha,
            const float *a, const int32_t *lda, const float *b,
            const int32_t *ldb, const float *beta, float *c, const int32_t *ldc,
            size_t, size_t) {
  multiply(*transA, *transB, *m, *n, *k, *alpha, a, *lda, b, *ldb, *beta, c,
           *ldc);
}

#ifndef KS_FAKE_BROKEN
void dgemm_(const char *transA, const char *transB, const int32_t *m,
            const int32_t *n, const int32_t *k, const double *alpha,
            const double *a, const int32_t *lda, const double *b,
            const int32_t *ldb, const double *beta, double *c,
            const int32_t *ldc, size_t, size_t) {
  multiply(*transA, *transB, *m, *n, *k, *alpha, a, *lda, b, *ldb, *beta, c,
           *ldc);
}
#endif

const char *openblas_get_config() {
  return "OpenBLAS 9.8.7 NO_LAPACKE FAKE MAX_THREADS=64";
}

const char *openblas_get_corename() {
#ifdef KS_FAKE_OLD
  return "Prescott";
#else
  return "Fake";
#endif
}

int fakeBlasCalls() { return numCalls; }
int fakeBlasMisuses() { return numMisuses; }
} // extern "C"
