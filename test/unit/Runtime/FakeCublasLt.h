//===- FakeCublasLt.h - cublasLt without a GPU ------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A library with the functions of libcublasLt.so.13 that the runtime opens. It
// records products, computes them on the host on demand, and fails on demand.
//
//===----------------------------------------------------------------------===//

#ifndef KS_TEST_UNIT_RUNTIME_FAKECUBLASLT_H
#define KS_TEST_UNIT_RUNTIME_FAKECUBLASLT_H

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

/// Matrices, stored by columns: `count` of them, `stride` elements apart.
struct FakeMatrix {
  int type = 0;
  uint64_t rows = 0, columns = 0;
  int64_t pitch = 0;
  int32_t count = 1;
  int64_t stride = 0;
  const void *data = nullptr;
};

/// What cublasLtMatmul was called with.
struct FakeMatmul {
  int computeType = 0, scaleType = 0;
  bool isTransposedA = false, isTransposedB = false;
  FakeMatrix a, b, d;
  void *workspace = nullptr;
  size_t workspaceBytes = 0;
  void *stream = nullptr;
};

/// What an algorithm was looked for with.
struct FakeSearch {
  uint64_t workspaceBytes = 0;
  uint32_t reductions = 7;
  uint32_t alignments[4] = {256, 256, 256, 256}; ///< Of A, B, C and D.
};

struct FakeCublasLt {
  bool computes = false; ///< Whether products are computed.

  // Faults: results of functions; 0 is success.
  int createResult = 0;
  int layoutResult = 0; ///< Of attributes of layouts.
  int searchResult = 0;
  int searchCount = 1; ///< Algorithms that are found.
  int matmulResult = 0;

  // Records.
  std::vector<FakeMatmul> products;
  std::vector<FakeSearch> searches;
  int numProducts = 0, numSearches = 0;
  int numHandles = 0; ///< Alive now.
  int numObjects = 0; ///< Descriptions and preferences that are alive now.
  int numMisuses = 0; ///< Calls without a context, or that make no sense, as of
                      ///< matrices that are not aligned as was said.
};

/// The one that all fake libraries of this process share.
FakeCublasLt &getFakeCublasLt();

/// The same, locked.
class FakeCublasLtLock {
public:
  FakeCublasLtLock();
  FakeCublasLt *operator->() { return &getFakeCublasLt(); }

private:
  std::unique_lock<std::recursive_mutex> guard;
};

#endif // KS_TEST_UNIT_RUNTIME_FAKECUBLASLT_H
