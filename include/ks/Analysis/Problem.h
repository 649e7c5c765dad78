//===- Problem.h - What is to be computed -----------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_ANALYSIS_PROBLEM_H
#define KS_ANALYSIS_PROBLEM_H

#include "ks/Analysis/Pattern.h"

#include "llvm/ADT/SmallVector.h"

#include <optional>

namespace ks {

/// What is to be computed, without the IR: the planner's input.
struct Problem {
  /// A factor, and the axes along which its weight is shared.
  struct Factor {
    KSPattern pattern;
    bool tiedA = false, tiedD = false;
    /// Elements of the weight as it is stored.
    int64_t storedWeights() const {
      return (tiedA ? 1 : pattern.a) * pattern.b * pattern.c *
             (tiedD ? 1 : pattern.d);
    }
  };

  llvm::SmallVector<Factor> factors; ///< In order of application.
  std::optional<int64_t> batch;      ///< None if only known at run time.
  bool batchFirst = true;
  bool isComplex = false;
  bool hasEpilogue = false;
  bool tf32 = false;            ///< f32 factors may be rounded to 10 bits.
  int64_t realBytes = 4;        ///< Of a real of the element type.
  int64_t accumulatorBytes = 4; ///< Of a real of the accumulator type.
  /// Of a real of the input, where it is converted as it is loaded; else 0.
  int64_t convertedBytes = 0;
  /// Of a real of the result, where it is converted as it is stored; else 0.
  int64_t storedBytes = 0;
  /// The order of the features that are read, or written, if it is not the
  /// natural one; of one factor.
  std::optional<FeatureOrder> reads, writes;

  /// Bytes of an element of activations and weights.
  int64_t elementBytes() const { return (isComplex ? 2 : 1) * realBytes; }
  bool convertsInput() const { return convertedBytes != 0; }
  /// Columns that a kernel sees with all their k together: those that are read,
  /// or the groups that become columns as they are written; 0 without an order.
  int64_t getPlanes() const {
    return reads ? reads->q : writes ? writes->p : 0;
  }
  /// Whether the columns that a kernel of the one factor sees share a weight.
  bool sharesColumns() const {
    return writes ? factors.front().tiedA : factors.front().tiedD;
  }
  /// The r of that order.
  int64_t getRedundancy() const {
    return reads ? reads->r : writes ? writes->r : 1;
  }
  bool convertsResult() const { return storedBytes != 0; }
  /// Whether results take more registers than sums.
  bool widensResult() const { return storedBytes > accumulatorBytes; }
  /// Bytes of an element of the input and of the result, in memory.
  int64_t inputBytes() const {
    return convertsInput() ? convertedBytes : elementBytes();
  }
  int64_t resultBytes() const {
    return convertsResult() ? storedBytes : elementBytes();
  }
};

/// Bytes that must move at least, with `batch` entries: input and result once,
/// stored weights once.
double getMinimumBytes(const Problem &problem, int64_t batch);

/// Flops of the chain as written (a complex multiply-add counts 8).
double getFlops(const Problem &problem, int64_t batch);

} // namespace ks

#endif // KS_ANALYSIS_PROBLEM_H
