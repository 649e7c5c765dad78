//===- FakeCublasLt.cpp - cublasLt without a GPU --------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// KS_FAKE_BROKEN leaves out a function that the library has.
//
//===----------------------------------------------------------------------===//

#include "FakeCublasLt.h"

#include "CublasLt.h"
#include "FakeDriver.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace ks::cublas;

struct ks::cublas::cublasLtContext {};

struct ks::cublas::cublasLtMatmulDescOpaque {
  cublasComputeType_t computeType;
  cudaDataType scaleType;
  int32_t transposes[2] = {CUBLAS_OP_N, CUBLAS_OP_N};
};

struct ks::cublas::cublasLtMatrixLayoutOpaque {
  FakeMatrix matrix;
};

struct ks::cublas::cublasLtMatmulPreferenceOpaque {
  FakeSearch search;
};

FakeCublasLt &getFakeCublasLt() {
  static FakeCublasLt library;
  return library;
}

FakeCublasLtLock::FakeCublasLtLock() {
  static std::recursive_mutex mutex;
  guard = std::unique_lock<std::recursive_mutex>(mutex);
}

namespace {

using Lock = FakeCublasLtLock;

cublasStatus_t toStatus(int code) { return static_cast<cublasStatus_t>(code); }

cublasStatus_t misuse() {
  ++Lock()->numMisuses;
  return CUBLAS_STATUS_INVALID_VALUE;
}

template <typename T> cublasStatus_t create(T **object, T value) {
  *object = new T(value);
  ++Lock()->numObjects;
  return CUBLAS_STATUS_SUCCESS;
}

template <typename T> cublasStatus_t destroy(T *object) {
  delete object;
  --Lock()->numObjects;
  return CUBLAS_STATUS_SUCCESS;
}

//===----------------------------------------------------------------------===//
// Computing
//===----------------------------------------------------------------------===//

double fromHalf(uint16_t bits) {
  int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  double value = exponent == 0    ? std::ldexp(mantissa, -24)
                 : exponent == 31 ? (mantissa ? NAN : INFINITY)
                                  : std::ldexp(1024 + mantissa, exponent - 25);
  return bits >> 15 ? -value : value;
}

/// To nearest, ties to even; the GPU's.
uint16_t toHalf(double value) {
  uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  double size = std::abs(value);
  if (std::isnan(value))
    return 0x7fff;
  if (size >= 65520)
    return sign | 0x7c00;
  if (size == 0)
    return sign;
  int exponent = 0;
  std::frexp(size, &exponent);
  int unit = std::max(exponent - 11, -24); // of the last bit
  auto count = static_cast<uint32_t>(std::nearbyint(std::ldexp(size, -unit)));
  uint32_t biased = exponent - 11 > -24 ? exponent + 14 - 1 : 0;
  return sign | static_cast<uint16_t>(biased * 1024 + count);
}

size_t getElementBytes(const FakeMatrix &matrix) {
  return matrix.type == CUDA_R_64F ? 8 : matrix.type == CUDA_R_32F ? 4 : 2;
}

/// One of the matrices.
FakeMatrix getMatrix(FakeMatrix matrix, int32_t number) {
  matrix.data =
      static_cast<const char *>(matrix.data) +
      number * matrix.stride * static_cast<int64_t>(getElementBytes(matrix));
  return matrix;
}

double load(const FakeMatrix &matrix, uint64_t row, uint64_t column) {
  size_t place = column * static_cast<size_t>(matrix.pitch) + row;
  auto read = [&](auto value) {
    std::memcpy(&value,
                static_cast<const char *>(matrix.data) + place * sizeof(value),
                sizeof(value));
    return value;
  };
  switch (matrix.type) {
  case CUDA_R_16F:
    return fromHalf(read(uint16_t()));
  case CUDA_R_16BF: {
    uint32_t bits = uint32_t(read(uint16_t())) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
  }
  case CUDA_R_64F:
    return read(double());
  default:
    return read(float());
  }
}

void store(const FakeMatrix &matrix, uint64_t row, uint64_t column,
           double value) {
  size_t place = column * static_cast<size_t>(matrix.pitch) + row;
  auto write = [&](auto stored) {
    std::memcpy(static_cast<char *>(const_cast<void *>(matrix.data)) +
                    place * sizeof(stored),
                &stored, sizeof(stored));
  };
  switch (matrix.type) {
  case CUDA_R_16F:
    return write(toHalf(value));
  case CUDA_R_16BF: {
    auto rounded = static_cast<float>(value);
    uint32_t bits;
    std::memcpy(&bits, &rounded, sizeof(bits));
    bits += 0x7fff + (bits >> 16 & 1);
    return write(static_cast<uint16_t>(bits >> 16));
  }
  case CUDA_R_64F:
    return write(value);
  default:
    return write(static_cast<float>(value));
  }
}

void compute(const FakeMatmul &call) {
  uint64_t depth = call.isTransposedA ? call.a.rows : call.a.columns;
  for (uint64_t row = 0; row < call.d.rows; ++row)
    for (uint64_t column = 0; column < call.d.columns; ++column) {
      double sum = 0;
      for (uint64_t k = 0; k < depth; ++k) {
        double a =
            call.isTransposedA ? load(call.a, k, row) : load(call.a, row, k);
        double b = call.isTransposedB ? load(call.b, column, k)
                                      : load(call.b, k, column);
        sum += a * b;
      }
      store(call.d, row, column, sum);
    }
}

/// Whether no two of the matrices have an element in common: their columns lie
/// side by side, or they follow each other.
bool areApart(const FakeMatrix &matrix) {
  auto rows = static_cast<int64_t>(matrix.rows),
       columns = static_cast<int64_t>(matrix.columns);
  return matrix.count == 1 ||
         (matrix.stride >= rows &&
          matrix.stride * (matrix.count - 1) + rows <= matrix.pitch) ||
         matrix.stride >= (columns - 1) * matrix.pitch + rows;
}

/// Whether all begin at multiples of `alignment` bytes.
bool areAligned(const FakeMatrix &matrix, uint64_t alignment) {
  for (int32_t number = 0; number < matrix.count; ++number)
    if (reinterpret_cast<uintptr_t>(getMatrix(matrix, number).data) %
            alignment !=
        0)
      return false;
  return true;
}

/// Whether op(A) B fits D.
bool fits(const cublasLtMatmulDescOpaque &product, const FakeMatrix &a,
          const FakeMatrix &b, const FakeMatrix &d) {
  bool isTransposedA = product.transposes[0] == CUBLAS_OP_T;
  bool isTransposedB = product.transposes[1] == CUBLAS_OP_T;
  for (const FakeMatrix *matrix : {&a, &b, &d})
    if (matrix->pitch < static_cast<int64_t>(matrix->rows) ||
        matrix->type != d.type || matrix->count != d.count)
      return false;
  return areApart(d) && (isTransposedA ? a.columns : a.rows) == d.rows &&
         (isTransposedB ? b.rows : b.columns) == d.columns &&
         (isTransposedA ? a.rows : a.columns) ==
             (isTransposedB ? b.columns : b.rows);
}

/// What an algorithm is told apart by.
constexpr uint64_t magic = 0x6b735f616c676f72;

} // namespace

extern "C" {

size_t cublasLtGetVersion() { return 130100; }

const char *cublasLtGetStatusName(cublasStatus_t status) {
  return status == CUBLAS_STATUS_NOT_SUPPORTED ? "CUBLAS_STATUS_NOT_SUPPORTED"
                                               : "CUBLAS_STATUS_OTHER";
}
const char *cublasLtGetStatusString(cublasStatus_t) { return "a fault"; }

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle) {
  Lock library;
  if (getFakeContexts().empty())
    return misuse();
  if (library->createResult)
    return toStatus(library->createResult);
  *handle = new cublasLtContext;
  ++library->numHandles;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  Lock library;
  if (getFakeContexts().empty())
    return misuse();
  delete handle;
  --library->numHandles;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *product,
                                        cublasComputeType_t computeType,
                                        cudaDataType scaleType) {
  return create(product, {computeType, scaleType});
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t product) {
  return destroy(product);
}
cublasStatus_t
cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t product,
                               cublasLtMatmulDescAttributes_t attribute,
                               const void *value, size_t bytes) {
  if (bytes != sizeof(int32_t) || (attribute != CUBLASLT_MATMUL_DESC_TRANSA &&
                                   attribute != CUBLASLT_MATMUL_DESC_TRANSB))
    return misuse();
  std::memcpy(&product->transposes[attribute - CUBLASLT_MATMUL_DESC_TRANSA],
              value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *layout,
                                          cudaDataType type, uint64_t rows,
                                          uint64_t columns, int64_t pitch) {
  return create(layout, {{type, rows, columns, pitch, 1, 0, nullptr}});
}
cublasStatus_t
cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                 cublasLtMatrixLayoutAttribute_t attribute,
                                 const void *value, size_t bytes) {
  if (Lock library; library->layoutResult)
    return toStatus(library->layoutResult);
  FakeMatrix &matrix = layout->matrix;
  if (attribute == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT &&
      bytes == sizeof(matrix.count))
    std::memcpy(&matrix.count, value, bytes);
  else if (attribute == CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET &&
           bytes == sizeof(matrix.stride))
    std::memcpy(&matrix.stride, value, bytes);
  else
    return misuse();
  return matrix.count < 1 ? misuse() : CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  return destroy(layout);
}

cublasStatus_t
cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *preference) {
  return create(preference, {});
}
#ifndef KS_FAKE_BROKEN
cublasStatus_t
cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  return destroy(preference);
}
#endif
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(
    cublasLtMatmulPreference_t preference,
    cublasLtMatmulPreferenceAttributes_t attribute, const void *value,
    size_t bytes) {
  FakeSearch &search = preference->search;
  void *place = nullptr;
  size_t expected = sizeof(uint32_t);
  if (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) {
    place = &search.workspaceBytes;
    expected = sizeof(uint64_t);
  } else if (attribute == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK) {
    place = &search.reductions;
  } else if (attribute >= CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES &&
             attribute <= CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES) {
    place = &search.alignments[attribute -
                               CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES];
  }
  if (!place || bytes != expected)
    return misuse();
  std::memcpy(place, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(
    cublasLtHandle_t, cublasLtMatmulDesc_t product, cublasLtMatrixLayout_t a,
    cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
    cublasLtMatrixLayout_t d, cublasLtMatmulPreference_t preference,
    int requested, cublasLtMatmulHeuristicResult_t *results, int *found) {
  Lock library;
  if (c != d || requested != 1 ||
      !fits(*product, a->matrix, b->matrix, d->matrix))
    return misuse();
  ++library->numSearches;
  library->searches.push_back(preference->search);
  if (library->searchResult)
    return toStatus(library->searchResult);
  *found = library->searchCount;
  if (*found == 0)
    return CUBLAS_STATUS_SUCCESS;
  *results = {};
  results->algo.data[0] = magic;
  std::copy_n(preference->search.alignments, 4, results->algo.data + 1);
  results->workspaceSize = preference->search.workspaceBytes;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t
cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t product,
               const void *alpha, const void *a, cublasLtMatrixLayout_t aLayout,
               const void *b, cublasLtMatrixLayout_t bLayout, const void *beta,
               const void *c, cublasLtMatrixLayout_t cLayout, void *d,
               cublasLtMatrixLayout_t dLayout,
               const cublasLtMatmulAlgo_t *algorithm, void *workspace,
               size_t workspaceBytes, ks::cuda::CUstream stream) {
  Lock library;
  auto number = [&](const void *scale) {
    if (product->scaleType == CUDA_R_64F)
      return *static_cast<const double *>(scale);
    return static_cast<double>(*static_cast<const float *>(scale));
  };
  if (!handle || getFakeContexts().empty() || c != d || cLayout != dLayout ||
      algorithm->data[0] != magic || number(alpha) != 1 || number(beta) != 0)
    return misuse();
  if (library->matmulResult)
    return toStatus(library->matmulResult);
  FakeMatmul call;
  call.computeType = product->computeType;
  call.scaleType = product->scaleType;
  call.isTransposedA = product->transposes[0] == CUBLAS_OP_T;
  call.isTransposedB = product->transposes[1] == CUBLAS_OP_T;
  call.a = aLayout->matrix;
  call.b = bLayout->matrix;
  call.d = dLayout->matrix;
  call.a.data = a;
  call.b.data = b;
  call.d.data = d;
  const uint64_t *alignments = algorithm->data + 1;
  if (!areAligned(call.a, alignments[0]) ||
      !areAligned(call.b, alignments[1]) ||
      !areAligned(call.d, alignments[2]) || !areAligned(call.d, alignments[3]))
    return misuse();
  call.workspace = workspace;
  call.workspaceBytes = workspaceBytes;
  call.stream = stream;
  for (int32_t number = 0; library->computes && number < call.d.count;
       ++number) {
    FakeMatmul one = call;
    for (FakeMatrix *matrix : {&one.a, &one.b, &one.d})
      *matrix = getMatrix(*matrix, number);
    compute(one);
  }
  ++library->numProducts;
  library->products.push_back(call);
  return CUBLAS_STATUS_SUCCESS;
}

//===----------------------------------------------------------------------===//
// For other languages
//===----------------------------------------------------------------------===//

/// What the library is like, faults, and records, by name.
static int *findField(const char *name) {
  FakeCublasLt &library = getFakeCublasLt();
  const std::pair<const char *, int *> fields[] = {
      {"createResult", &library.createResult},
      {"searchResult", &library.searchResult},
      {"matmulResult", &library.matmulResult},
      {"numProducts", &library.numProducts},
      {"numSearches", &library.numSearches},
      {"numHandles", &library.numHandles},
      {"numMisuses", &library.numMisuses}};
  for (auto [known, field] : fields)
    if (std::strcmp(known, name) == 0)
      return field;
  return nullptr;
}

/// Returns whether there is such a field.
int fakeLtSet(const char *name, int value) {
  Lock library;
  if (std::strcmp(name, "computes") == 0) {
    library->computes = value != 0;
    return 1;
  }
  int *field = findField(name);
  if (field)
    *field = value;
  return field != nullptr;
}

int fakeLtGet(const char *name) {
  Lock library;
  int *field = findField(name);
  return field ? *field : -1;
}

} // extern "C"
