//===- LibraryCost.cpp - Products by a library ----------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/LibraryCost.h"

#include "ks/Analysis/Target.h"

#include "Rounding.h"

#include "llvm/Support/FormatVariadic.h"

#include <cmath>
#include <limits>

using namespace ks;

std::string ks::checkLibraryProblem(const Problem &problem) {
  if (problem.factors.size() != 1)
    return llvm::formatv("a library multiplies by one matrix, and there are "
                         "{0} factors; expected ks.matmul",
                         problem.factors.size());
  const KSPattern &p = problem.factors.front().pattern;
  if (problem.batchFirst && p.d != 1)
    return llvm::formatv("batch-first a library reads no columns j of a group "
                         "where they lie, and the pattern is ({0}, {1}, {2}, "
                         "{3}); expected d = 1, or batch-last",
                         p.a, p.b, p.c, p.d);
  if (std::max({p.a, p.b, p.c, p.d}) > std::numeric_limits<int32_t>::max())
    return llvm::formatv("the pattern is ({0}, {1}, {2}, {3}); expected sizes "
                         "of 32 bits for a library",
                         p.a, p.b, p.c, p.d);
  if (problem.isComplex)
    return "the elements are complex; expected f16, bf16, f32 or f64 for a "
           "library";
  if (problem.convertsInput())
    return "the input is converted as it is loaded, which a library does not "
           "do; expected input and weights of one type";
  if (problem.getPlanes() != 0)
    return "features are in another order, which a library does not know; "
           "expected their natural one";
  if (problem.convertsResult())
    return "the result is converted as it is stored, which a library does not "
           "do; expected weights and result of one type";
  if (problem.hasEpilogue)
    return "there is an epilogue, which a library does not know; expected none";
  return "";
}

std::string ks::checkBlasProblem(const Problem &problem) {
  if (std::string complaint = checkLibraryProblem(problem); !complaint.empty())
    return complaint;
  const KSPattern &p = problem.factors.front().pattern;
  if (p.a != 1 || p.d != 1)
    return llvm::formatv("a BLAS multiplies by dense matrices, and the pattern "
                         "is ({0}, {1}, {2}, {3}); expected a = d = 1",
                         p.a, p.b, p.c, p.d);
  if (problem.realBytes < 4)
    return "the elements have 16 bits; expected f32 or f64 for a BLAS";
  return "";
}

int64_t ks::getLibraryCalls(const KSPattern &pattern) {
  return std::min(pattern.a, pattern.d);
}

/// FMAs per clock and SM of the unit that the library multiplies with.
static double getProductsPerClock(const Problem &problem,
                                  const GPUTarget &target) {
  if (problem.realBytes == 8)
    return target.fma64PerClock;
  if (problem.realBytes == 2)
    return std::max(target.mma16PerClock, target.wgmma16PerClock);
  return problem.tf32
             ? std::max(target.mma8PerClock, target.wgmma16PerClock / 2)
             : target.fma32PerClock;
}

static double toDouble(int64_t value) { return static_cast<double>(value); }

/// Whether rows of all blocks begin at multiples of 16 bytes, which tensor
/// cores are fed by.
static bool isAligned(const Problem &problem) {
  constexpr int64_t kAlignment = 16;
  const KSPattern &p = problem.factors.front().pattern;
  auto isWhole = [&](int64_t elements) {
    return elements * problem.elementBytes() % kAlignment == 0;
  };
  return isWhole(p.c) && isWhole(problem.batchFirst ? p.b : *problem.batch);
}

/// What is left of the rate of tensor cores that are not fed by 16 bytes at a
/// time.
static constexpr double kUnaligned = 0.15;

static bool usesTensorCores(const Problem &problem) {
  return problem.realBytes == 2 || problem.tf32;
}

/// Tiles of results, which SMs are given one by one.
static constexpr int64_t kTile = 64;

/// Entries that are few for a dense product.
static constexpr int64_t kFew = 16;

/// Batches that find weights and activations in L2.
static bool isWarm(const Problem &problem, const GPUTarget &target) {
  constexpr int64_t kWarmBatch = 512;
  return *problem.batch <= kWarmBatch &&
         getMinimumBytes(problem, *problem.batch) <
             static_cast<double>(target.l2Bytes);
}

namespace {
/// How cuBLAS does with blocks; see LibraryCost.h.
struct BlockRates {
  double storing; ///< A byte of results, in times of one that is loaded.
  double ofPeak;  ///< Of the table's rate.
  double begin;   ///< What each product begins with, in steps of k.
};
} // namespace

/// A factor that is not dense.
static std::optional<double> predictBlocks(const Problem &problem,
                                           const GPUTarget &target) {
  constexpr double kLaunch = 4.5e-6, kOfL2 = 0.7;
  constexpr BlockRates kHalf = {1.17, 0.81, 0}, kTF32 = {1, 1, 0},
                       kFMA = {1.06, 1.03, 32};
  const Problem::Factor &factor = problem.factors.front();
  const KSPattern &p = factor.pattern;
  int64_t calls = getLibraryCalls(p);
  if (problem.realBytes == 8 || calls > kMaxLibraryCalls)
    return std::nullopt;
  // Batch-first, small blocks share lines with their neighbours: (128, 32, 32,
  // 1) took 1.5 times as long as ours.
  constexpr int64_t kLeastBlock = 128;
  if (problem.batchFirst && std::min(p.b, p.c) < kLeastBlock)
    return std::nullopt;
  const BlockRates &rates = problem.realBytes == 2 ? kHalf
                            : problem.tf32         ? kTF32
                                                   : kFMA;
  auto batch = toDouble(std::max<int64_t>(1, *problem.batch));
  auto inFeatures = toDouble(p.inFeatures()),
       outFeatures = toDouble(p.outFeatures());
  auto elementBytes = toDouble(problem.elementBytes());
  // Few tiles keep few SMs busy.
  double tiles = toDouble(divideUp(p.b, kTile)) * std::ceil(batch / kTile) *
                 toDouble(std::max(p.a, p.d));
  double busy = std::min(toDouble(target.multiprocessors), tiles);
  double bandwidth =
      std::min(isWarm(problem, target) ? kOfL2 * target.l2Bandwidth
                                       : target.dramBandwidth,
               busy * target.getL2BandwidthOfSM());
  double loaded = batch * inFeatures + toDouble(factor.storedWeights());
  double moving =
      (loaded + rates.storing * batch * outFeatures) * elementBytes / bandwidth;
  double perSecond = getProductsPerClock(problem, target) * target.gigahertz *
                     1e9 * busy * rates.ofPeak;
  if (usesTensorCores(problem) && !isAligned(problem))
    perSecond *= kUnaligned;
  int64_t rows = usesTensorCores(problem) ? p.b : divideUp(p.b, kTile) * kTile;
  double multiplying = batch * toDouble(p.a) * toDouble(p.d) * toDouble(rows) *
                       (toDouble(p.c) + rates.begin) / perSecond;
  double seconds = toDouble(calls) * kLaunch +
                   std::cbrt(std::pow(moving, 3) + std::pow(multiplying, 3));
  return (problem.batchFirst ? kBlocksMargin : 1) * seconds;
}

std::optional<double> ks::predictLibrary(const Problem &problem,
                                         const GPUTarget &target) {
  if (!target.hasLibrary || !checkLibraryProblem(problem).empty())
    return std::nullopt;
  const KSPattern &p = problem.factors.front().pattern;
  if (p.a != 1 || p.d != 1)
    return predictBlocks(problem, target);
  constexpr double kLaunch = 5e-6, kWarmLaunch = 2.3e-6, kFewLaunch = 2.6e-6,
                   kOfPeak = 0.87, kOfL2 = 0.7, kOfL2ByFew = 0.65;
  int64_t batch = *problem.batch;
  double bytes = getMinimumBytes(problem, batch);
  bool isInL2 = isWarm(problem, target);
  // Few tiles keep few SMs busy.
  double busy = static_cast<double>(std::min(
      target.multiprocessors, divideUp(p.b, kTile) * divideUp(batch, kTile)));
  bool isFew = batch < kFew;
  double ofL2 = isFew ? kOfL2ByFew : kOfL2;
  double launch = !isInL2 ? kLaunch : isFew ? kFewLaunch : kWarmLaunch;
  double bandwidth =
      std::min(isInL2 ? ofL2 * target.l2Bandwidth : target.dramBandwidth,
               busy * target.getL2BandwidthOfSM());
  double perSecond = 2 * getProductsPerClock(problem, target) *
                     target.gigahertz * 1e9 * busy * kOfPeak;
  if (usesTensorCores(problem) && !isAligned(problem))
    perSecond *= kUnaligned;
  return launch +
         std::max(bytes / bandwidth, getFlops(problem, batch) / perSecond);
}

std::optional<double> ks::predictLibrary(const Problem &problem,
                                         const CPUTarget &target) {
  if (!target.hasLibrary || !checkBlasProblem(problem).empty())
    return std::nullopt;
  constexpr double kCall = 5e-6, kOfPeak = 0.95;
  double perSecond = 2 *
                     static_cast<double>(target.getLanes(problem.realBytes)) *
                     target.fmaPerCycle * target.gigahertz * 1e9 *
                     static_cast<double>(target.threads);
  int64_t batch = *problem.batch;
  return kBlasMargin *
         (kCall +
          std::max(getMinimumBytes(problem, batch) / target.memoryBandwidth,
                   getFlops(problem, batch) / (kOfPeak * perSecond)));
}

double ks::getSlowdown(const Problem &problem) {
  constexpr double kFewEntries = 1.5;
  const KSPattern &p = problem.factors.front().pattern;
  return p.a == 1 && p.d == 1 && *problem.batch < kFew ? kFewEntries : 1;
}

double ks::getSlowdown(const Problem &problem, unsigned factor,
                       const CPUTarget &target) {
  constexpr int64_t kSameSets = 2048, kManyWeights = 16;
  const KSPattern &p = problem.factors[factor].pattern;
  if (p.a != 1 || p.d != 1)
    return 1;
  int64_t rowBytes = *problem.batch * problem.elementBytes();
  bool isBeyond =
      problem.batchFirst
          ? p.b * p.c * problem.elementBytes() >= kManyWeights * target.l2Bytes
          // Behind the first factor, inputs are buffers of our own.
          : factor == 0 && rowBytes % kSameSets == 0 &&
                rowBytes * p.c >= target.l2Bytes;
  return isBeyond ? kBeyondL2 : 1;
}
