//===- LibraryProducts.cpp - Products by cublasLt -------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// To cublasLt a matrix is stored by columns: our rows are its columns. So
// batch-first Y = X Wᵀ is, to it, D = op(A) B with A = W, transposed, and B =
// X; batch-last Y = W X is D = A B with A = X and B = W.
//
// A call computes the products of all j of a group i, or of all i of a column
// j, whichever are more. Matrices of a call are at one distance from each other
// (a strided batch), which is 0 for weights that they share, and so are those
// of one call and the next.
//
//===----------------------------------------------------------------------===//

#include "LibraryProducts.h"

#include "Text.h"

#include <algorithm>

using namespace ks;
using namespace ks::cublas;

namespace {

/// Where the matrices of a product are, in elements.
struct Steps {
  int64_t pitch = 0;   ///< From row to row of a matrix.
  int64_t product = 0; ///< From one to the next of a call.
  int64_t call = 0;    ///< From the first of a call to that of the next.
};

/// Those of X or Y, with rows of `rows` features for each i and j, whose array
/// has rows `pitch` elements apart. No distance is larger than twice the array,
/// whose bytes have been counted.
Steps getSteps(const LibraryProduct &product, int64_t rows, int64_t pitch) {
  // Batch-first, d = 1: features are columns.
  int64_t row = product.isBatchFirst ? 1 : pitch;
  int64_t group = rows * product.d * row;
  bool isAlongD = product.isCallAlongD();
  return {product.isBatchFirst ? pitch : product.d * pitch,
          isAlongD ? row : group, isAlongD ? group : row};
}

/// Those of W.
Steps getWeightSteps(const LibraryProduct &product) {
  int64_t matrix = product.n * product.m;
  int64_t group = product.getStrideA() * matrix,
          column = product.getStrideD() * matrix;
  bool isAlongD = product.isCallAlongD();
  return {product.m, isAlongD ? column : group, isAlongD ? group : column};
}

} // namespace

/// What an algorithm was chosen for.
struct LibraryProducts::Key {
  LibraryProduct product;
  int64_t batch = 0;
  int64_t inputPitch = 0, resultPitch = 0; ///< In elements.
  /// Of the first elements of all matrices.
  uint32_t inputAlignment = 0, resultAlignment = 0;

  explicit Key(const LibraryCall &call);
  bool operator==(const Key &) const = default;
};

/// An algorithm, and the descriptions it goes with.
struct LibraryProducts::Prepared {
  Prepared(const Key &key, const Functions &functions)
      : key(key), functions(functions),
        input(getSteps(key.product, key.product.m, key.inputPitch)),
        result(getSteps(key.product, key.product.n, key.resultPitch)),
        weights(getWeightSteps(key.product)) {}
  Prepared(const Prepared &) = delete;
  Prepared &operator=(const Prepared &) = delete;
  ~Prepared() {
    for (cublasLtMatrixLayout_t layout : {a, b, d})
      if (layout)
        functions.cublasLtMatrixLayoutDestroy(layout);
    if (descriptor)
      functions.cublasLtMatmulDescDestroy(descriptor);
  }
  /// Describes the product and its matrices.
  Status describe();

  const Key key;
  const Functions &functions;
  const Steps input, result, weights;
  cublasLtMatmulDesc_t descriptor = nullptr;
  cublasLtMatrixLayout_t a = nullptr, b = nullptr, d = nullptr;
  cublasLtMatmulAlgo_t algorithm = {};
};

namespace {

/// The largest power of two that divides the addresses of all matrices, up to
/// what the library can make use of.
uint32_t getAlignment(const void *address, const Steps &steps,
                      const LibraryProduct &product) {
  auto bits = reinterpret_cast<uintptr_t>(address) | arrayAlignment;
  auto elementBytes = static_cast<uintptr_t>(getElementBytes(product.type));
  if (product.getCallProducts() > 1)
    bits |= static_cast<uintptr_t>(steps.product) * elementBytes;
  if (product.getNumCalls() > 1)
    bits |= static_cast<uintptr_t>(steps.call) * elementBytes;
  return static_cast<uint32_t>(bits & -bits);
}

/// The first matrix of a call. Packed weights may be counted by shorter
/// elements than those of the product.
void *getStart(const ArrayView &array, const Steps &steps, int64_t call,
               const LibraryProduct &product) {
  return static_cast<char *>(array.data) +
         call * steps.call *
             static_cast<int64_t>(getElementBytes(product.type));
}

cudaDataType getDataType(KsElementType type) {
  switch (type) {
  case KS_F16:
    return CUDA_R_16F;
  case KS_BF16:
    return CUDA_R_16BF;
  case KS_F64:
    return CUDA_R_64F;
  default: // The artefact was checked: no complex numbers.
    return CUDA_R_32F;
  }
}

cublasComputeType_t getComputeType(const LibraryProduct &product) {
  if (product.type == KS_F64)
    return CUBLAS_COMPUTE_64F;
  return product.isTF32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
}

/// The preferences of a search.
class Preferences {
public:
  explicit Preferences(const Functions &functions) : functions(functions) {
    result = functions.cublasLtMatmulPreferenceCreate(&handle);
  }
  Preferences(const Preferences &) = delete;
  Preferences &operator=(const Preferences &) = delete;
  ~Preferences() {
    if (handle)
      functions.cublasLtMatmulPreferenceDestroy(handle);
  }
  template <typename T>
  void set(cublasLtMatmulPreferenceAttributes_t attribute, T value) {
    if (result == CUBLAS_STATUS_SUCCESS)
      result = functions.cublasLtMatmulPreferenceSetAttribute(
          handle, attribute, &value, sizeof(value));
  }

  const Functions &functions;
  cublasLtMatmulPreference_t handle = nullptr;
  cublasStatus_t result; ///< The first failure, if any.
};

} // namespace

LibraryProducts::Key::Key(const LibraryCall &call)
    : product(call.product), batch(call.getBatch()),
      inputPitch(call.input.strides[0]), resultPitch(call.result.strides[0]),
      inputAlignment(getAlignment(
          call.input.data, getSteps(product, product.m, inputPitch), product)),
      resultAlignment(getAlignment(call.result.data,
                                   getSteps(product, product.n, resultPitch),
                                   product)) {}

//===----------------------------------------------------------------------===//
// The library
//===----------------------------------------------------------------------===//

Status LibraryProducts::create(const CUDAContext &context,
                               std::unique_ptr<LibraryProducts> &products,
                               bool &isAsked) {
  const Functions *functions = nullptr;
  if (Status status = getFunctions(functions, isAsked))
    return status;
  std::unique_ptr<LibraryProducts> result(
      new LibraryProducts(context, *functions));
  if (Status status =
          toStatus(*functions, functions->cublasLtCreate(&result->handle),
                   "starting cublasLt"))
    return status;
  result->name = cublas::getName(*functions);
  products = std::move(result);
  return {};
}

LibraryProducts::~LibraryProducts() {
  if (!handle)
    return;
  cuda::CurrentContext scope(*context.getFunctions(),
                             static_cast<cuda::CUcontext>(context.getHandle()));
  // Fails, and must, if the driver has ended before.
  if (!scope.getStatus())
    functions.cublasLtDestroy(handle);
}

size_t LibraryProducts::getWorkspaceBytes(const LibraryProduct &product,
                                          int64_t batch) {
  // Where there is little to do in parallel, it divides the sums into parts
  // that are added up behind. More than so many are of no use, nor is more
  // memory than NVIDIA recommends for any GPU.
  constexpr size_t parts = 16, most = size_t(32) << 20;
  size_t bytes = parts * (product.type == KS_F64 ? 8 : 4);
  for (int64_t size : {product.n, product.getCallProducts(), batch})
    if (__builtin_mul_overflow(bytes, static_cast<size_t>(size), &bytes))
      return most;
  if (!roundUp(bytes, arrayAlignment))
    return most;
  return std::min(bytes, most);
}

//===----------------------------------------------------------------------===//
// Algorithms
//===----------------------------------------------------------------------===//

Status LibraryProducts::Prepared::describe() {
  const LibraryProduct &product = key.product;
  cudaDataType type = getDataType(product.type);
  auto count = static_cast<int32_t>(product.getCallProducts());
  auto create = [&](cublasLtMatrixLayout_t &layout, int64_t rows,
                    int64_t columns, const Steps &steps) {
    cublasStatus_t created = functions.cublasLtMatrixLayoutCreate(
        &layout, type, static_cast<uint64_t>(rows),
        static_cast<uint64_t>(columns), steps.pitch);
    if (created == CUBLAS_STATUS_SUCCESS && count > 1)
      created = functions.cublasLtMatrixLayoutSetAttribute(
          layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof(count));
    if (created == CUBLAS_STATUS_SUCCESS && count > 1)
      created = functions.cublasLtMatrixLayoutSetAttribute(
          layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &steps.product,
          sizeof(steps.product));
    return created;
  };
  cublasStatus_t status = functions.cublasLtMatmulDescCreate(
      &descriptor, getComputeType(product),
      product.type == KS_F64 ? CUDA_R_64F : CUDA_R_32F);
  auto then = [&](auto step) {
    if (status == CUBLAS_STATUS_SUCCESS)
      status = step();
  };
  bool first = product.isBatchFirst;
  int64_t n = product.n, m = product.m;
  cublasOperation_t transposed = CUBLAS_OP_T;
  if (first)
    then([&] {
      return functions.cublasLtMatmulDescSetAttribute(
          descriptor, CUBLASLT_MATMUL_DESC_TRANSA, &transposed,
          sizeof(transposed));
    });
  then([&] { return create(first ? a : b, m, n, weights); });
  then([&] {
    return first ? create(b, m, key.batch, input)
                 : create(a, key.batch, m, input);
  });
  then([&] {
    return first ? create(d, n, key.batch, result)
                 : create(d, key.batch, n, result);
  });
  return toStatus(functions, status, "describing the product");
}

Status LibraryProducts::findAlgorithm(const Key &key,
                                      Prepared &prepared) const {
  const LibraryProduct &product = key.product;
  if (Status status = prepared.describe())
    return status;
  Preferences preferences(functions);
  preferences.set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                  static_cast<uint64_t>(getWorkspaceBytes(product, key.batch)));
  // Parts of sums are not rounded to the element type before they are added.
  preferences.set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
                  CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE);
  uint32_t weights = getAlignment(nullptr, prepared.weights, product);
  bool first = product.isBatchFirst;
  preferences.set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
                  first ? weights : key.inputAlignment);
  preferences.set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                  first ? key.inputAlignment : weights);
  for (auto attribute : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
                         CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
    preferences.set(attribute, key.resultAlignment);
  if (Status status =
          toStatus(functions, preferences.result, "stating preferences"))
    return status;
  cublasLtMatmulHeuristicResult_t best = {};
  int count = 0;
  cublasStatus_t result = functions.cublasLtMatmulAlgoGetHeuristic(
      handle, prepared.descriptor, prepared.a, prepared.b, prepared.d,
      prepared.d, preferences.handle, /*requested=*/1, &best, &count);
  if (result == CUBLAS_STATUS_SUCCESS)
    result = count > 0 ? best.state : CUBLAS_STATUS_NOT_SUPPORTED;
  prepared.algorithm = best.algo;
  return toStatus(functions, result,
                  concat("looking for an algorithm for batch ", key.batch));
}

Status LibraryProducts::find(const LibraryCall &call,
                             std::shared_ptr<const Prepared> &prepared) const {
  Key key(call);
  std::lock_guard<std::mutex> lock(mutex);
  for (const auto &candidate : known) {
    if (!candidate || candidate->key != key)
      continue;
    prepared = candidate;
    return {};
  }
  auto created = std::make_shared<Prepared>(key, functions);
  if (Status status = findAlgorithm(key, *created))
    return status;
  prepared = created;
  known[nextPlace++ % maxPrepared] = std::move(created);
  return {};
}

Status LibraryProducts::prepare(const LibraryCall &call) const {
  std::shared_ptr<const Prepared> prepared;
  return call.getBatch() == 0 ? Status() : find(call, prepared);
}

Status LibraryProducts::run(const LibraryCall &call, void *workspace,
                            cuda::CUstream stream) const {
  if (call.getBatch() == 0)
    return {};
  std::shared_ptr<const Prepared> prepared;
  if (Status status = find(call, prepared))
    return status;
  const LibraryProduct &product = call.product;
  // Numbers of the type in which it sums.
  constexpr float one32 = 1, zero32 = 0;
  constexpr double one64 = 1, zero64 = 0;
  bool isDouble = product.type == KS_F64;
  const void *one = isDouble ? static_cast<const void *>(&one64) : &one32;
  const void *zero = isDouble ? static_cast<const void *>(&zero64) : &zero32;
  size_t workspaceBytes = getWorkspaceBytes(product, call.getBatch());
  bool first = product.isBatchFirst;
  for (int64_t number = 0; number < product.getNumCalls(); ++number) {
    const void *x = getStart(call.input, prepared->input, number, product);
    const void *w = getStart(call.weights, prepared->weights, number, product);
    void *y = getStart(call.result, prepared->result, number, product);
    cublasStatus_t result = functions.cublasLtMatmul(
        handle, prepared->descriptor, one, first ? w : x, prepared->a,
        first ? x : w, prepared->b, zero, y, prepared->d, y, prepared->d,
        &prepared->algorithm, workspace, workspaceBytes, stream);
    if (Status status = toStatus(functions, result, "launching it"))
      return status;
  }
  return {};
}
