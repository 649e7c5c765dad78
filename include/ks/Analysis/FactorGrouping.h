//===- FactorGrouping.h - Which factors share a kernel ----------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Divides a chain into kernels: a pure function of factors, permissions and
// costs. It knows nothing of IR, and of no machine.
//
// A *group* is a run of neighbours that are multiplied with each other, ahead
// of time: into the pattern of their product, if they are chainable, or into
// the dense matrix. A *kernel* is a run of groups that reads its input once and
// writes its result once. With T(kernel) from the caller,
//
//   best[j] = min over kernels that end behind factor j and begin behind i
//             of best[i] + T(kernel),
//
// a shortest path along the cut points. A kernel's time is expensive to know,
// but easy to bound from below: only kernels that lie on the shortest path, as
// far as known times and bounds tell, are asked for, until all on it are known.
// That is exact, whatever the bounds, as long as they are bounds.
//
// Chains of many small factors have thousands of kernels, and bounds do not
// tell the good ones from the others. But machines multiply blocks of some size
// at a time, of which smaller ones take as long: 2×2 blocks as 16×16 ones. So
// factors are divided into groups with few blocks in the first place: a group
// is left out if each division that it is part of has at least as many blocks
// as one of fewer groups, or twice as many as one of as many. (The same blocks
// in fewer groups are less to move.)
//
//===----------------------------------------------------------------------===//

#ifndef KS_ANALYSIS_FACTORGROUPING_H
#define KS_ANALYSIS_FACTORGROUPING_H

#include "ks/Analysis/Problem.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <memory>
#include <string>

namespace ks {

struct CPUTarget;
struct GPUTarget;

/// Neighbouring factors that are multiplied with each other.
struct FactorGroup {
  unsigned first = 0; ///< Number of the first factor, in order of application.
  unsigned count = 1;
  bool isDense = false; ///< Into (1, N, M, 1); else into their product.
  /// What it is as one factor.
  Problem::Factor factor;
  /// Whether the next group of the kernel is a kernel of its own, for which
  /// this one leaves the features between them in an order (FeatureOrder).
  bool writesOrder = false;

  unsigned end() const { return first + count; }
  bool operator==(const FactorGroup &o) const {
    return first == o.first && count == o.count && isDense == o.isDense &&
           writesOrder == o.writesOrder;
  }
};

/// Groups that one kernel applies, one after the other.
using FactorKernel = llvm::SmallVector<FactorGroup, 1>;

/// A way to run a chain.
struct Grouping {
  llvm::SmallVector<FactorKernel> kernels;
  double seconds = 0;

  bool operator==(const Grouping &o) const { return kernels == o.kernels; }
  bool hasMerged() const;
  bool hasDense() const;
};

/// Times of kernels on a machine.
class KernelCosts {
public:
  virtual ~KernelCosts() = default;
  /// Seconds of a kernel; none if there is no such kernel.
  virtual std::optional<double> predict(llvm::ArrayRef<FactorGroup> groups) = 0;
  /// Not more than `predict` would say.
  virtual double bound(llvm::ArrayRef<FactorGroup> groups) = 0;
  /// Whether it is a vendor's library that takes these seconds.
  virtual bool usesLibrary(llvm::ArrayRef<FactorGroup>) { return false; }
  /// The most groups that a kernel can have.
  virtual unsigned getMaxGroups() const = 0;
  /// Whether `reader` may read what `writer` left in an order.
  virtual bool canOrder(const FactorGroup & /*writer*/,
                        const FactorGroup & /*reader*/) {
    return false;
  }
  /// Rows and columns of blocks, of which smaller ones take as long.
  virtual int64_t getBlockSize() const { return 1; }
};

/// What may be done with a chain.
struct GroupingProblem {
  llvm::SmallVector<Problem::Factor> factors; ///< In order of application.
  /// Whether factor t may be multiplied with others; as many as factors.
  llvm::SmallVector<bool> isMergeable;
};

/// Names of ways to run a chain that readers might expect.
inline constexpr llvm::StringLiteral kFusedWay = "all factors in one kernel",
                                     kApartWay = "factors apart",
                                     kOrderedWay =
                                         "factors apart, ordered between",
                                     kMergedWay = "all factors merged",
                                     kDenseWay = "dense",
                                     kFastestWay = "the fastest way";

/// A way that was not taken.
struct Alternative {
  llvm::StringRef name; ///< One of these.
  Grouping grouping;
};

struct GroupingResult {
  Grouping best;
  /// Others that a reader might have expected, and what they cost.
  llvm::SmallVector<Alternative> rejected;
};

/// Neighbours `first` to `first + count - 1` as one factor: their product if
/// they are chainable, or the dense matrix. None if they are not chainable, or
/// if its weights cannot be counted.
std::optional<FactorGroup> makeGroup(llvm::ArrayRef<Problem::Factor> factors,
                                     unsigned first, unsigned count,
                                     bool isDense);

/// The fastest way to run the chain; of equally fast ones the one with the
/// fewest kernels, then with the fewest factors merged. The chain has a factor
/// at least, and `costs` knows a kernel for each factor alone.
/// Alternatives cost time to price; without `isExplained` there are none.
GroupingResult groupFactors(const GroupingProblem &problem, KernelCosts &costs,
                            bool isExplained = true);

/// The part of `chain` that a kernel computes; the epilogue stays with the last
/// factor.
Problem getKernelProblem(const Problem &chain,
                         llvm::ArrayRef<FactorGroup> groups);

/// Whether `kernel` is really two, with an order of features between them.
bool isOrderedPair(llvm::ArrayRef<FactorGroup> kernel);

/// Times of kernels for `chain`, whose batch is known, by the planners.
std::unique_ptr<KernelCosts> createCPUCosts(const Problem &chain,
                                            const CPUTarget &target);
std::unique_ptr<KernelCosts> createGPUCosts(const Problem &chain,
                                            const GPUTarget &target);

/// The most factors of one kernel on a GPU; with more, code is long.
constexpr unsigned kMaxFusedFactors = 8;

/// Seconds of a kernel for all factors of `problem`, of which there are two at
/// least and whose batch is known; none if there is no such kernel.
std::optional<double> predictFusedKernel(const Problem &problem,
                                         const GPUTarget &target);

} // namespace ks

#endif // KS_ANALYSIS_FACTORGROUPING_H
