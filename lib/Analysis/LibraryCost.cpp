//===- LibraryCost.cpp - Dense products by a library ----------------------===//
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

#include <limits>

using namespace ks;

std::string ks::checkLibraryProblem(const Problem &problem) {
  if (problem.factors.size() != 1)
    return llvm::formatv("a library multiplies by one matrix, and there are "
                         "{0} factors; expected ks.matmul",
                         problem.factors.size());
  const KSPattern &p = problem.factors.front().pattern;
  if (p.a != 1 || p.d != 1)
    return llvm::formatv("a library multiplies by dense matrices, and the "
                         "pattern is ({0}, {1}, {2}, {3}); expected a = d = 1",
                         p.a, p.b, p.c, p.d);
  if (problem.isComplex)
    return "the elements are complex; expected f16, bf16, f32 or f64 for a "
           "library";
  if (problem.convertsInput())
    return "the input is converted as it is loaded, which a library does not "
           "do; expected input and weights of one type";
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
  if (problem.realBytes < 4)
    return "the elements have 16 bits; expected f32 or f64 for a BLAS";
  const KSPattern &p = problem.factors.front().pattern;
  if (std::max(p.b, p.c) > std::numeric_limits<int32_t>::max())
    return llvm::formatv("the matrix is {0}x{1}; expected sizes of 32 bits for "
                         "a BLAS",
                         p.b, p.c);
  return "";
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

/// Whether rows begin at multiples of 16 bytes, which tensor cores are fed by.
static bool isAligned(const Problem &problem) {
  constexpr int64_t kAlignment = 16;
  const KSPattern &p = problem.factors.front().pattern;
  auto isWhole = [&](int64_t elements) {
    return elements * problem.elementBytes() % kAlignment == 0;
  };
  return isWhole(p.c) && isWhole(problem.batchFirst ? p.b : *problem.batch);
}

std::optional<double> ks::predictLibrary(const Problem &problem,
                                         const GPUTarget &target) {
  if (!target.hasLibrary || !checkLibraryProblem(problem).empty())
    return std::nullopt;
  constexpr double kLaunch = 5e-6, kWarmLaunch = 2.3e-6, kFewLaunch = 2.6e-6,
                   kOfPeak = 0.87, kOfL2 = 0.7, kOfL2ByFew = 0.35,
                   kUnaligned = 0.15;
  constexpr int64_t kTile = 64, kWarmBatch = 512, kFew = 16;
  const KSPattern &p = problem.factors.front().pattern;
  int64_t batch = *problem.batch;
  double bytes = getMinimumBytes(problem, batch);
  bool isWarm =
      batch <= kWarmBatch && bytes < static_cast<double>(target.l2Bytes);
  // Few tiles keep few SMs busy.
  double busy = static_cast<double>(std::min(
      target.multiprocessors, divideUp(p.b, kTile) * divideUp(batch, kTile)));
  bool isFew = batch < kFew;
  double ofL2 = isFew ? kOfL2ByFew : kOfL2;
  double launch = !isWarm ? kLaunch : isFew ? kFewLaunch : kWarmLaunch;
  double bandwidth =
      std::min(isWarm ? ofL2 * target.l2Bandwidth : target.dramBandwidth,
               busy * target.getL2BandwidthOfSM());
  double perSecond = 2 * getProductsPerClock(problem, target) *
                     target.gigahertz * 1e9 * busy * kOfPeak;
  if (!isAligned(problem) && (problem.realBytes == 2 || problem.tf32))
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
