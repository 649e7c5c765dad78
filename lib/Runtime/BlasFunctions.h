//===- BlasFunctions.h - A BLAS, opened at run time -------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_RUNTIME_BLASFUNCTIONS_H
#define KS_LIB_RUNTIME_BLASFUNCTIONS_H

#include <cstddef>
#include <cstdint>
#include <string>

namespace ks::blas {

/// GEMM of Fortran: column-major, and everything by address. Integers have 64
/// bits here, but values of 32: a little-endian library reads them right
/// whether its own have 32 or 64. At the end are the lengths of the two
/// strings.
template <typename T>
using Gemm = void (*)(const char *transA, const char *transB, const int64_t *m,
                      const int64_t *n, const int64_t *k, const T *alpha,
                      const T *a, const int64_t *lda, const T *b,
                      const int64_t *ldb, const T *beta, T *c,
                      const int64_t *ldc, size_t, size_t);

struct Functions {
  Gemm<float> sgemm = nullptr;
  Gemm<double> dgemm = nullptr;
  std::string name; ///< "OpenBLAS 0.3.21", or the path.
};

/// Opens what KS_BLAS says; see Blas.h. Returns why that was not possible, or
/// "". The library stays open.
std::string open(Functions &functions, bool &isAsked);

/// A dense product; see ksBlasProductF32.
template <typename T> struct Product {
  const T *x;
  int64_t xPitch;
  const T *w;
  T *y;
  int64_t yPitch, batch, b, c;
  bool isBatchFirst;
};

/// What the interface of a BLAS has no room for is done by plain loops: pitches
/// of more than 31 bits, and rows that overlap.
void multiply(const Functions &functions, Product<float> product);
void multiply(const Functions &functions, Product<double> product);

} // namespace ks::blas

#endif // KS_LIB_RUNTIME_BLASFUNCTIONS_H
