//===- GPUCost.h - What a plan costs on a GPU -------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The model of a GPU that plans are ranked by. A tile, the product of one block
// for `entries` of the batch, keeps parts of an SM busy for some cycles, by
// what it moves and computes (Traffic.h):
//
//   DRAM     X once, Y once, weights once, over a bandwidth that falls with the
//            bytes of a row that a block reads in one piece, and with what is
//            under way at a time;
//   L2       what blocks read: X once per block of n, weights once per block or
//            tile, and Y;
//   shared   stores of both, loads of fragments, and lines of memory that
//            results touch, per SM and clock;
//   units    multiplications, padding included, on tensor cores or FMA pipes;
//            all instructions, four a cycle; or, where few warps share an SM,
//            all of it after each other, with waits.
//
// Small batches whose arrays are all in L2 (`isWarm`) wait for no DRAM, and
// have constants of their own, fitted to 1100 plans of 48 problems in graphs of
// launches (median error 27 %, most of it too much time for all plans of a
// problem). There the next launch begins where there is room: blocks are spread
// evenly only if all of the next, or none, find room beside those of this one.
//
// What all tiles take lies between the largest of these and their sum (a p-norm
// of them); the start of blocks and a launch come on top. Constants were
// fitted to plans on an H100: 1000 of 24 problems (median error 15 %), and for
// activations from registers 900 of 35 problems (8 %; benchmarks/gpu_plans.py).
//
//===----------------------------------------------------------------------===//

#ifndef KS_ANALYSIS_GPUCOST_H
#define KS_ANALYSIS_GPUCOST_H

#include "ks/Analysis/GPUPlanner.h"
#include "ks/Analysis/Traffic.h"

namespace ks {

struct FittedStart;

/// The model for one plan but for its number of blocks.
class GPUCostModel {
public:
  GPUCostModel(const Problem &problem, const GPUPlan &plan,
               const GPUTarget &target);

  /// With at most `batchBlocks` blocks that share the batch of a slab. What is
  /// not below `bound` may be less than the cost, but not below `bound`.
  GPUCost predict(int64_t batchBlocks, int64_t batch, double bound) const;
  /// The best number of those, and its cost; 0 if it is not below `bound`.
  int64_t chooseBatchBlocks(int64_t batch, GPUCost &cost, double bound) const;

private:
  double getUnitCycles() const;
  double getSharedCycles(double copied) const;
  double getIssueCycles(double copied) const;
  double getActivationCycles() const;
  double getLatencyCycles() const;
  double getEngineRows() const;
  double getStartSeconds(const FittedStart &fitted) const;
  double getWarmCopySeconds(double l2, double resident, double tilesOfSM) const;
  int64_t getCopyBytes() const;
  double getStoreCycles() const;
  double getPartialSeconds() const;
  double getSerialCycles(double resident, double waits) const;
  double getRowEfficiency(int64_t batch) const;
  double getPlanesEfficiency() const;
  double getMultiprocessors() const;
  double getOverlap(double resident) const;

  const Problem &problem;
  const GPUPlan &plan;
  const GPUTarget &target;
  KSPattern p;
  bool batchFirst;
  int64_t bytes, blocksPerSM;
  TileTraffic traffic;
  /// Cycles of a tile.
  struct {
    double units, shared, issue, latency, engine;
  } tile;
  double startSeconds, warmStartSeconds; ///< Of a block.
};

} // namespace ks

#endif // KS_ANALYSIS_GPUCOST_H
