//===- CublasLt.h - NVIDIA's matrix products ---------------------*- C++-*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part of cublasLt that the runtime uses, with the names and values of
// NVIDIA's documentation: those of CUDA 12 and 13. It is declared here so that
// neither building nor running needs CUDA's toolkit.
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_RUNTIME_CUBLASLT_H
#define KS_LIB_RUNTIME_CUBLASLT_H

#include "CUDAFunctions.h"

namespace ks::cublas {

// NOLINTBEGIN(readability-identifier-naming): as NVIDIA names them.

using cublasLtHandle_t = struct cublasLtContext *;
using cublasLtMatmulDesc_t = struct cublasLtMatmulDescOpaque *;
using cublasLtMatrixLayout_t = struct cublasLtMatrixLayoutOpaque *;
using cublasLtMatmulPreference_t = struct cublasLtMatmulPreferenceOpaque *;

enum cublasStatus_t : int {
  CUBLAS_STATUS_SUCCESS = 0,
  CUBLAS_STATUS_NOT_INITIALIZED = 1,
  CUBLAS_STATUS_ALLOC_FAILED = 3,
  CUBLAS_STATUS_INVALID_VALUE = 7,
  CUBLAS_STATUS_ARCH_MISMATCH = 8,
  CUBLAS_STATUS_EXECUTION_FAILED = 13,
  CUBLAS_STATUS_INTERNAL_ERROR = 14,
  CUBLAS_STATUS_NOT_SUPPORTED = 15
};

enum cudaDataType : int {
  CUDA_R_32F = 0,
  CUDA_R_64F = 1,
  CUDA_R_16F = 2,
  CUDA_R_16BF = 14
};

enum cublasComputeType_t : int {
  CUBLAS_COMPUTE_32F = 68,
  CUBLAS_COMPUTE_64F = 70,
  CUBLAS_COMPUTE_32F_FAST_TF32 = 77
};

enum cublasLtMatrixLayoutAttribute_t : int {
  CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT = 5,         // int32_t
  CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET = 6 // int64_t, in elements
};

enum cublasOperation_t : int32_t { CUBLAS_OP_N = 0, CUBLAS_OP_T = 1 };

enum cublasLtMatmulDescAttributes_t : int {
  CUBLASLT_MATMUL_DESC_TRANSA = 3,
  CUBLASLT_MATMUL_DESC_TRANSB = 4
};

enum cublasLtMatmulPreferenceAttributes_t : int {
  CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES = 1,   // uint64_t
  CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK = 3, // uint32_t
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES = 5, // uint32_t
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES = 6,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES = 7,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES = 8
};

enum cublasLtReductionScheme_t : uint32_t {
  CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE = 2
};

struct cublasLtMatmulAlgo_t {
  uint64_t data[8];
};

struct cublasLtMatmulHeuristicResult_t {
  cublasLtMatmulAlgo_t algo;
  size_t workspaceSize;
  cublasStatus_t state;
  float wavesCount;
  int reserved[4];
};
static_assert(sizeof(cublasLtMatmulHeuristicResult_t) == 96);

// FUNCTION(name, result, parameters)
// clang-format off
#define KS_CUBLASLT_FUNCTIONS(FUNCTION)                                        \
  FUNCTION(cublasLtGetVersion, size_t, ())                                     \
  FUNCTION(cublasLtGetStatusName, const char *, (cublasStatus_t))              \
  FUNCTION(cublasLtGetStatusString, const char *, (cublasStatus_t))            \
  FUNCTION(cublasLtCreate, cublasStatus_t, (cublasLtHandle_t *))               \
  FUNCTION(cublasLtDestroy, cublasStatus_t, (cublasLtHandle_t))                \
  FUNCTION(cublasLtMatmulDescCreate, cublasStatus_t,                           \
           (cublasLtMatmulDesc_t *, cublasComputeType_t,                       \
            cudaDataType scaleType))                                           \
  FUNCTION(cublasLtMatmulDescDestroy, cublasStatus_t, (cublasLtMatmulDesc_t))  \
  FUNCTION(cublasLtMatmulDescSetAttribute, cublasStatus_t,                     \
           (cublasLtMatmulDesc_t, cublasLtMatmulDescAttributes_t,              \
            const void *value, size_t bytes))                                  \
  FUNCTION(cublasLtMatrixLayoutCreate, cublasStatus_t,                         \
           (cublasLtMatrixLayout_t *, cudaDataType, uint64_t rows,             \
            uint64_t columns, int64_t pitch))                                  \
  FUNCTION(cublasLtMatrixLayoutDestroy, cublasStatus_t,                        \
           (cublasLtMatrixLayout_t))                                           \
  FUNCTION(cublasLtMatrixLayoutSetAttribute, cublasStatus_t,                   \
           (cublasLtMatrixLayout_t, cublasLtMatrixLayoutAttribute_t,           \
            const void *value, size_t bytes))                                  \
  FUNCTION(cublasLtMatmulPreferenceCreate, cublasStatus_t,                     \
           (cublasLtMatmulPreference_t *))                                     \
  FUNCTION(cublasLtMatmulPreferenceDestroy, cublasStatus_t,                    \
           (cublasLtMatmulPreference_t))                                       \
  FUNCTION(cublasLtMatmulPreferenceSetAttribute, cublasStatus_t,               \
           (cublasLtMatmulPreference_t, cublasLtMatmulPreferenceAttributes_t,  \
            const void *value, size_t bytes))                                  \
  FUNCTION(cublasLtMatmulAlgoGetHeuristic, cublasStatus_t,                     \
           (cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t a,  \
            cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,                \
            cublasLtMatrixLayout_t d, cublasLtMatmulPreference_t,              \
            int requested, cublasLtMatmulHeuristicResult_t *, int *found))     \
  FUNCTION(cublasLtMatmul, cublasStatus_t,                                     \
           (cublasLtHandle_t, cublasLtMatmulDesc_t, const void *alpha,         \
            const void *a, cublasLtMatrixLayout_t, const void *b,              \
            cublasLtMatrixLayout_t, const void *beta, const void *c,           \
            cublasLtMatrixLayout_t, void *d, cublasLtMatrixLayout_t,           \
            const cublasLtMatmulAlgo_t *, void *workspace,                     \
            size_t workspaceBytes, cuda::CUstream))
// clang-format on

// NOLINTEND(readability-identifier-naming)

struct Functions {
  // NOLINTBEGIN(bugprone-macro-parentheses): they are declarations.
#define KS_DECLARE(name, result, parameters) result(*name) parameters = nullptr;
  KS_CUBLASLT_FUNCTIONS(KS_DECLARE)
#undef KS_DECLARE
  // NOLINTEND(bugprone-macro-parentheses)

  /// Where they are from.
  std::string path;
};

/// Opens the library once per path and keeps it until the process ends: what
/// the environment variable KS_CUBLASLT says, or else libcublasLt.so.13 or
/// libcublasLt.so.12. With KS_CUBLASLT=none there is none.
///
/// `isAsked` tells whether the variable names a library: one that must be
/// there. Failures are not kept.
Status getFunctions(const Functions *&functions, bool &isAsked);

/// What `result` means: nothing, or that `action` failed, and why.
Status toStatus(const Functions &functions, cublasStatus_t result,
                std::string_view action);

/// "cublasLt 13.1.0".
std::string getName(const Functions &functions);

} // namespace ks::cublas

#endif // KS_LIB_RUNTIME_CUBLASLT_H
