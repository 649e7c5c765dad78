//===- Blas.h - Dense products by the host's BLAS ---------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Programs that were compiled for a target with ":library=blas" have the BLAS
// of the machine compute dense products, if it has one. It is opened when it is
// first asked for, and the answer stays the same until the process ends:
// weights are packed for the BLAS or for our own kernels.
//
// The environment variable KS_BLAS says which: the path of a library, which
// then must be there, or `none`. Without it libopenblas.so.0, libblis.so.4 and
// libmkl_rt.so.2 are tried. libblas.so.3 is not: it mostly is the reference
// implementation, which is slower than our kernels. Whatever has the functions
// sgemm_ and dgemm_ of Fortran will do.
//
// A BLAS has threads of its own (OPENBLAS_NUM_THREADS, BLIS_NUM_THREADS,
// MKL_NUM_THREADS); those of ThreadPool.h wait meanwhile.
//
//===----------------------------------------------------------------------===//

#ifndef KS_RUNTIME_BLAS_H
#define KS_RUNTIME_BLAS_H

#include <stdint.h>

#ifdef __cplusplus
#include <string>

namespace ks {

/// The BLAS that this process uses.
struct Blas {
  std::string name;     ///< "OpenBLAS 0.3.21", or a path; "" without one.
  std::string note;     ///< Why there is none; "" if there is one.
  bool isAsked = false; ///< Whether KS_BLAS names one, which must be there.
};

/// Opens it, if that has not been done.
const Blas &getBlas();

} // namespace ks

extern "C" {
#endif

/// What compiled code calls: whether there is a BLAS. If KS_BLAS names one that
/// cannot be used, the process ends with a message: compiled code cannot return
/// an error. ks::CompiledFunction refuses to compile before it comes to that.
int32_t ksHasBlas(void);

/// y = x wᵀ, or batch-last y = w x, where w is a plain b×c matrix. Pitches are
/// of rows, in elements. What y held does not matter, even if it is NaN. Needs
/// ksHasBlas.
void ksBlasProductF32(const float *x, int64_t xPitch, const float *w, float *y,
                      int64_t yPitch, int64_t batch, int64_t b, int64_t c,
                      int32_t isBatchFirst);
void ksBlasProductF64(const double *x, int64_t xPitch, const double *w,
                      double *y, int64_t yPitch, int64_t batch, int64_t b,
                      int64_t c, int32_t isBatchFirst);

#ifdef __cplusplus
} // extern "C"
#endif

#endif // KS_RUNTIME_BLAS_H
