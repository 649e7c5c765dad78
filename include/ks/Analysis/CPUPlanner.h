//===- CPUPlanner.h - Plans for CPUs ----------------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Chooses how a chain runs on a CPU: a pure function from a problem and a
// target to ranked plans. It knows nothing of IR.
//
// A factor is a loop nest over register tiles of rows x vectors accumulators,
// which run along k. Per step of k a tile costs
//
//   max(FMAs / fmaPerCycle, loads / loadsPerCycle, latency of one FMA)
//
// cycles, and once per tile its stores; and never less than it takes to bring
// what L1 does not hold from L2. What is left to choose is the shape:
//
//  * lanes. Batch-first, a vector covers n rows and j columns of the pattern;
//    an element of X is loaded once (j of them) and replicated n times. d >= V
//    gives j = V, n = 1: a plain load. d = 1 gives n = V: a broadcast. The
//    axes that do not divide evenly are covered by overlapping blocks, whose
//    waste the model counts. Batch-last, lanes run along the batch.
//  * rows x vectors. All accumulators, one row of vectors and one X must fit
//    in the registers.
//  * stationary. Where all weights fit in L1 the batch is the outer loop, so
//    that rows are read from end to end; otherwise panels of weights are.
//  * the batch block. All factors run on one block before the next, so that
//    intermediates stay in L2, unless that means streaming the weights too
//    often. Blocks are what threads share. With fewer blocks than threads,
//    groups and panels are shared out instead.
//  * staging. Rows of the input that are a power of two apart are copied to
//    another pitch first, if they are read more than a few times.
//
//===----------------------------------------------------------------------===//

#ifndef KS_ANALYSIS_CPUPLANNER_H
#define KS_ANALYSIS_CPUPLANNER_H

#include "ks/Analysis/Problem.h"
#include "ks/Analysis/Target.h"

namespace ks {

/// The register tile of one factor; see #ks.cpu_tile and #ks.cpu_packing.
struct CPUTile {
  int64_t rows = 1, vectors = 1, lanes = 1, unroll = 1;
  int64_t packVectors = 1, packLanes = 1, n = 1, j = 1;
  bool keepActivations = false; ///< Else weights; see #ks.cpu_tile.
  double cyclesPerEntry = 0;    ///< Predicted, per entry of the batch.

  bool operator==(const CPUTile &o) const {
    return rows == o.rows && vectors == o.vectors && lanes == o.lanes &&
           unroll == o.unroll && n == o.n && j == o.j;
  }
};

/// A plan for all factors; see #ks.cpu_plan.
struct CPUPlan {
  llvm::SmallVector<CPUTile> tiles;
  int64_t batchBlock = 1;
  bool stageInput = false;
  bool parallelBatch = true, parallelGroup = false, parallelPanel = false;
  double seconds = 0; ///< Predicted for the batch the planner assumed.
};

/// The batch that is assumed when it is not known.
constexpr int64_t kAssumedBatch = 512;

/// All register tiles worth considering for factor `index`, cheapest first.
/// Never empty for a valid problem.
llvm::SmallVector<CPUTile> rankTiles(const Problem &problem, unsigned index,
                                     const CPUTarget &target);

/// Seconds of a problem whose factors take `cycles` per entry of the batch, in
/// all.
double predictCPU(const Problem &problem, const CPUTarget &target,
                  double cycles);

/// Up to `count` plans, fastest first; plan p takes every factor's p-th tile.
/// Never empty for a valid problem.
llvm::SmallVector<CPUPlan>
planForCPU(const Problem &problem, const CPUTarget &target, unsigned count = 1);

} // namespace ks

#endif // KS_ANALYSIS_CPUPLANNER_H
