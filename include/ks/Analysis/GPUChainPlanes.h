//===- GPUChainPlanes.h - Chains through planes -----------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// How a block takes one slice of two chainable factors, the first of which has
// d = 1, through shared memory with wgmma (`isPlanes` of GPUChain.h).
//
// Both factors multiply matrices whose k are contiguous. A group of the input
// is a row of c elements of memory, which the copy engine brings as it is. Of
// the intermediate, each column j of the slice is a *plane*, [entry][k]:
// results of the first factor are n = q J + j of group i, in the order of the
// slice, and k = i r + q of column j, where r is the chain's redundancy and J
// the columns of the slice. A lane has the same columns of all groups and all
// q, so that with 8 / r groups at a time it stores 16 bytes to each plane.
//
// The last factor computes two columns at a time, whole sums over k, and rounds
// them. So a lane's results of all J columns wait in half of the registers that
// sums would take, and then are J neighbours in memory.
//
//   Monarch 4096, slices of 16 columns: 64 groups of the input, [64 entries][64
//   k], times 16 rows n make 16 planes [64 entries][64 k], 128 KB; those times
//   64 rows n each make 64 entries by 64 n by 16 j.
//
// Four warps have 64 entries. Of the first factor, four warps take one set of
// groups, the other four the next one; of the last factor each has half of the
// rows n. Input and weights come through one ring of stages, some groups and
// then some columns at a time, which another warp has the copy engine fill; it
// does not pause between factors or slices.
//
//===----------------------------------------------------------------------===//

#ifndef KS_ANALYSIS_GPUCHAINPLANES_H
#define KS_ANALYSIS_GPUCHAINPLANES_H

#include "ks/Analysis/GPUChain.h"

namespace ks {

/// What follows from a plan of this kind. The two patterns are the slice's.
struct ChainPlanes {
  ChainPlanes(const Problem &problem, const GPUChainPlan &plan);

  KSPattern first, last;
  int64_t columns; ///< J.

  /// k in a row of the input, of which a group has some, and in one of a plane:
  /// what the engine swizzles, 128 bytes at most.
  int64_t inputRow, planeRow;

  // --- The first factor ---
  int64_t groups; ///< i of a stage,
  int64_t set;    ///< and of those that a lane's stores have.

  // --- The last factor ---
  int64_t stageColumns; ///< j of a stage,
  int64_t rows;         ///< n of a block,
  int64_t blocksN;      ///< and such blocks.

  /// Stages of a slice: of the first factor, and of all.
  int64_t firstStages, numStages;
  /// Bytes of a stage: input, weights of a group and of a stage of the last
  /// factor, and all.
  int64_t inputBytes, groupBytes, lastBytes, stageBytes;
  /// Of the planes, and of the lines of results.
  int64_t planeBytes, stagedBytes;
  /// Rows n of the last factor that pass through shared memory at a time, for
  /// 16 entries of each warp.
  int64_t stagedN;

  /// [warp][buffer][entry][element]
  std::array<int64_t, 4> getStagedShape(int64_t resultBytes) const;
  int64_t getSharedBytes(int64_t stages) const {
    return kBulkAlignment + stages * stageBytes +
           (reusesPlanes() ? std::max(planeBytes, stagedBytes)
                           : planeBytes + stagedBytes);
  }
  /// Whether the lines of results take the place of the planes, which nobody
  /// reads any more.
  bool reusesPlanes() const { return blocksN == 1; }
  /// Registers of a lane.
  int64_t getRegisters(const Problem &problem) const;

  static constexpr int64_t kEntries = 64;
  /// Rows of a plane: two more, so that lanes, which store to four planes at a
  /// time, meet in no banks.
  static constexpr int64_t kPlaneRows = kEntries + 2;
  static constexpr int64_t kWarps = 8;
};

/// Plans of this kind for `problem` that are worth trying, without checking
/// whether they fit.
std::vector<GPUChainPlan> listChainPlanes(const Problem &problem,
                                          const GPUTarget &target);

/// What such a plan, which is legal, costs for `batch` entries.
GPUCost predictChainPlanes(const Problem &problem, const GPUChainPlan &plan,
                           const GPUTarget &target, int64_t batch);

} // namespace ks

#endif // KS_ANALYSIS_GPUCHAINPLANES_H
