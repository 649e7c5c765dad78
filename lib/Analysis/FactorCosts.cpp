//===- FactorCosts.cpp - Times of kernels of several factors --------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the planners say of the kernels that FactorGrouping.h asks about.
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/CPUPlanner.h"
#include "ks/Analysis/FactorGrouping.h"
#include "ks/Analysis/GPUChain.h"
#include "ks/Analysis/GPUPlanner.h"
#include "ks/Analysis/LibraryCost.h"
#include "ks/Analysis/SplitFloat.h"

#include <cmath>
#include <limits>
#include <map>
#include <tuple>

using namespace ks;

namespace {

/// What a factor costs depends on its pattern, its ties and where it stands.
using FactorKey =
    std::tuple<int64_t, int64_t, int64_t, int64_t, bool, bool, bool>;

FactorKey getKey(const Problem::Factor &factor, bool isAtEdge) {
  const KSPattern &p = factor.pattern;
  return {p.a, p.b, p.c, p.d, factor.tiedA, factor.tiedD, isAtEdge};
}

/// On a CPU a chain of any number of groups is one kernel, whose intermediates
/// stay in cache: times of factors add up. A group that is dense may be a
/// library's product, by itself.
class CPUCosts : public KernelCosts {
public:
  CPUCosts(const Problem &chain, const CPUTarget &target)
      : chain(chain), target(target) {}

  std::optional<double> predict(llvm::ArrayRef<FactorGroup> groups) override {
    Problem problem = getKernelProblem(chain, groups);
    double cycles = 0;
    for (unsigned index = 0; index < problem.factors.size(); ++index)
      cycles += getCycles(problem, index) *
                (target.hasLibrary ? getSlowdown(problem, index, target) : 1);
    double kernel = predictCPU(problem, target, cycles);
    return std::min(kernel, predictLibrary(problem, target).value_or(kernel));
  }
  bool usesLibrary(llvm::ArrayRef<FactorGroup> groups) override {
    Problem problem = getKernelProblem(chain, groups);
    return predictLibrary(problem, target) == predict(groups);
  }
  double bound(llvm::ArrayRef<FactorGroup> groups) override {
    return *predict(groups);
  }
  unsigned getMaxGroups() const override {
    return std::numeric_limits<unsigned>::max();
  }

private:
  /// Cycles of a factor per entry of the batch, by its best register tile.
  double getCycles(const Problem &problem, unsigned index) {
    auto [known, isNew] = cycles.try_emplace(
        getKey(problem.factors[index], /*isAtEdge=*/index == 0));
    if (isNew)
      known->second = rankTiles(problem, index, target).front().cyclesPerEntry;
    return known->second;
  }

  const Problem chain;
  const CPUTarget target;
  std::map<FactorKey, double> cycles;
};

/// On a GPU a group is a kernel, or, dense, a library's product if that is
/// faster; several are a kernel where predictFusedKernel knows one.
class GPUCosts : public KernelCosts {
public:
  GPUCosts(const Problem &chain, const GPUTarget &target)
      : chain(chain), target(target) {}

  std::optional<double> predict(llvm::ArrayRef<FactorGroup> groups) override {
    if (isOrderedPair(groups))
      return predictOrdered(groups);
    Problem problem = getKernelProblem(chain, groups);
    if (groups.size() > 1) {
      std::optional<double> fused = predictFusedKernel(problem, target);
      return fused ? std::optional(withoutSaved(*fused, groups)) : fused;
    }
    return withoutSaved(predictAlone(problem).seconds, groups);
  }

  bool usesLibrary(llvm::ArrayRef<FactorGroup> groups) override {
    return groups.size() == 1 &&
           predictAlone(getKernelProblem(chain, groups)).isLibrary;
  }

  /// Arrays have to be moved, and all be multiplied; what is saved then, is
  /// saved of no less.
  double bound(llvm::ArrayRef<FactorGroup> groups) override {
    if (isOrderedPair(groups))
      return bound(groups.take_front()) + bound(groups.drop_front());
    Problem problem = getKernelProblem(chain, groups);
    if (groups.size() > 1)
      return withoutSaved(boundGPUChain(problem, target, *problem.batch),
                          groups);
    int64_t batch = *problem.batch;
    double perSecond = 2 * getProductsPerClock(groups) * target.gigahertz *
                       1e9 * static_cast<double>(target.multiprocessors);
    // Some kernels are fitted to be faster than the table.
    constexpr double kFastest = 0.75, kLaunch = 0.9e-6;
    double products = kFastest * getFlops(problem, batch) / perSecond;
    double bytes = getMinimumBytes(problem, batch) / target.dramBandwidth;
    if (batch > kFewBlocks)
      return withoutSaved(kLaunch + std::max(bytes, products), groups);
    // Weights and activations may still be in L2.
    double weights = static_cast<double>(
        problem.factors.front().storedWeights() * problem.elementBytes());
    bytes -= weights / target.dramBandwidth;
    return withoutSaved(kLeast * std::max(bytes, products), groups);
  }
  unsigned getMaxGroups() const override { return kMaxFusedFactors; }

  /// Where tensor cores can take planes from shared memory; smaller batches
  /// were not measured.
  bool canOrder(const FactorGroup &writer, const FactorGroup &reader) override {
    return target.wgmma16PerClock > 0 && chain.realBytes == 2 &&
           chain.batchFirst && *chain.batch > kFewBlocks &&
           !(writer.first == 0 && chain.convertsInput()) &&
           getOrder(reader.factor.pattern, writer.factor.pattern).has_value();
  }

  /// Tensor cores multiply by 16×16 weights. More FMAs are not seen, either, as
  /// long as memory takes longer, which may be L2 where batches are small.
  int64_t getBlockSize() const override {
    constexpr int64_t kTensorCores = 16, kBesideL2 = 8;
    if (chain.realBytes == 2)
      return kTensorCores;
    int64_t most = *chain.batch <= kFewBlocks ? kBesideL2 : kTensorCores;
    double perSecond = getProductsPerClock({}) * target.gigahertz * 1e9 *
                       static_cast<double>(target.multiprocessors) /
                       (chain.isComplex ? 4 : 1);
    double moving =
        2 * static_cast<double>(chain.elementBytes()) / target.dramBandwidth;
    int64_t size = 1;
    while (size < most && 2 * static_cast<double>(size) <= moving * perSecond)
      size *= 2;
    return size;
  }

private:
  /// Of a kernel's time, what is left of it at least.
  static constexpr double kLeast = 0.5;
  /// Entries of small batches, whose kernels end with all of them.
  static constexpr int64_t kFewBlocks = 1024;

  struct Alone {
    double seconds = 0;
    bool isLibrary = false;
  };

  /// One factor by itself.
  const Alone &predictAlone(const Problem &problem) {
    auto [known, isNew] =
        alone.try_emplace({getKey(problem.factors.front(), problem.hasEpilogue),
                           problem.convertsInput(), problem.getPlanes(),
                           problem.getRedundancy()});
    if (!isNew)
      return known->second;
    auto ranked = planForGPU(problem, target);
    if (ranked.empty()) // There are none for some orders of features.
      return known->second = {std::numeric_limits<double>::infinity(), false};
    double kernel = ranked.front().cost.seconds;
    // In a chain of short kernels each takes longer than in a row of its own
    // kind, by which it is predicted: fitted to nine chains.
    constexpr double kAmongOthers = 1.35;
    bool isAmongOthers = chain.factors.size() > 1 && *chain.batch <= kFewBlocks;
    kernel *= std::max(isAmongOthers ? kAmongOthers : 1, getSlowdown(problem));
    double library = predictLibrary(problem, target).value_or(kernel);
    known->second = {std::min(kernel, library), library < kernel};
    return known->second;
  }

  /// Two kernels, with an order of the features between them.
  std::optional<double> predictOrdered(llvm::ArrayRef<FactorGroup> pair) {
    Problem writer = getKernelProblem(chain, pair.take_front()),
            reader = getKernelProblem(chain, pair.drop_front());
    writer.writes = reader.reads = getOrder(reader.factors.front().pattern,
                                            writer.factors.front().pattern);
    // What bounds them is shared memory, so that features which L2 still has
    // save nothing. Both models are off by as much as there is to gain by most
    // orders: of 20 pairs on an H100, those that gained more were faster
    // by 1.04 to 7 times, and of the others some by 0.8.
    constexpr double kDoubt = 1.1;
    double seconds =
        kDoubt * (predictAlone(writer).seconds + predictAlone(reader).seconds);
    return std::isfinite(seconds) ? std::optional(seconds) : std::nullopt;
  }

  double withoutSaved(double seconds,
                      llvm::ArrayRef<FactorGroup> groups) const {
    // A short kernel waits for other things. Each waits for the one before,
    // whose last blocks leave most of the GPU alone. None is shorter than a
    // launch in a graph.
    constexpr double kShort = 3.5e-6, kBetween = 1e-6, kLaunch = 1.2e-6;
    bool isFirst = groups.front().first == 0;
    double wait = isFirst || *chain.batch <= kFewBlocks ? 0 : kBetween;
    return std::max({kLeast * seconds, seconds - getSaved(groups),
                     std::min(seconds, kShort), kLaunch}) +
           wait;
  }
  /// Seconds that a kernel does not wait for memory, as L2 has what the kernel
  /// before it wrote, and keeps what the next one reads, if it is not too much.
  double getSaved(llvm::ArrayRef<FactorGroup> groups) const {
    constexpr double kTooMuch = 2.5; // Times L2; fitted to two chains.
    double saved = 0;
    auto add = [&](int64_t features) {
      double bytes = static_cast<double>(*chain.batch) *
                     static_cast<double>(features) *
                     static_cast<double>(chain.elementBytes());
      double kept =
          1 - bytes / (kTooMuch * static_cast<double>(target.l2Bytes));
      saved += std::max(0.0, kept) * bytes / target.dramBandwidth;
    };
    if (groups.front().first != 0)
      add(groups.front().factor.pattern.inFeatures());
    if (groups.back().end() != chain.factors.size())
      add(groups.back().factor.pattern.outFeatures());
    return saved;
  }
  /// Of an SM, by the fastest unit that multiplies these types.
  double getProductsPerClock(llvm::ArrayRef<FactorGroup> groups) const {
    if (chain.accumulatorBytes == 8)
      return target.fma64PerClock;
    if (chain.isComplex)
      return target.fma32PerClock;
    if (chain.realBytes == 2)
      return std::max(target.mma16PerClock, target.wgmma16PerClock);
    if (chain.tf32)
      return std::max(target.mma8PerClock, target.wgmma16PerClock / 2);
    bool isDeep = llvm::any_of(groups, [](const FactorGroup &group) {
      return group.factor.pattern.c >= kMinSplitDepth;
    });
    return isDeep ? std::max(target.fma32PerClock, target.getSplitPerClock())
                  : target.fma32PerClock;
  }

  const Problem chain;
  const GPUTarget target;
  /// With whether the input is converted, and the order of features.
  std::map<std::tuple<FactorKey, bool, int64_t, int64_t>, Alone> alone;
};

} // namespace

std::unique_ptr<KernelCosts> ks::createCPUCosts(const Problem &chain,
                                                const CPUTarget &target) {
  return std::make_unique<CPUCosts>(chain, target);
}

std::unique_ptr<KernelCosts> ks::createGPUCosts(const Problem &chain,
                                                const GPUTarget &target) {
  return std::make_unique<GPUCosts>(chain, target);
}

std::optional<double> ks::predictFusedKernel(const Problem &problem,
                                             const GPUTarget &target) {
  std::vector<RankedGPUChainPlan> ranked = planChainForGPU(problem, target);
  if (ranked.empty())
    return std::nullopt;
  return ranked.front().cost.seconds;
}
