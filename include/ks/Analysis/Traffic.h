//===- Traffic.h - What a plan moves and computes ---------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Counts, without any time: how many bytes a kernel moves through each level of
// memory, how many products it computes, and how much room it takes. What these
// cost is the matter of GPUCost.h.
//
// Most counts are of a *tile*, the product of one block for `entries` of the
// batch (of its part of k, where blocks share it). All are exact, but that
// weights which do not divide into blocks count with their padding.
//
//===----------------------------------------------------------------------===//

#ifndef KS_ANALYSIS_TRAFFIC_H
#define KS_ANALYSIS_TRAFFIC_H

#include "ks/Analysis/GPUPlanner.h"

namespace ks {

/// Of a tile.
struct TileTraffic {
  TileTraffic(const Problem &problem, const GPUPlan &plan);

  double chunks;   ///< Of k.
  double steps;    ///< Of all warps.
  double products; ///< FMAs of reals, padding included.

  // --- Bytes between L2 and the block ---
  double inputBytes;  ///< Of X, as the block needs them.
  double weightBytes; ///< Of its slab.
  double outputBytes;

  // --- Loads of a warp and step, of at most 16 bytes of a lane each ---
  double activationLoads; ///< From shared memory; of accessBytes each.
  double weightLoads;
  int64_t pieceBytes;  ///< Of a lane's piece of X.
  int64_t accessBytes; ///< What it is loaded by.

  // --- Stores of a warp ---
  double stores;     ///< Of a lane.
  double storeLines; ///< Lines of 128 bytes that those of a warp touch.
  bool isStaged;     ///< Whether results pass through shared memory,
  double stagedRun;  ///< and bytes of a line that they fill at a time.
  double
      partialBytes; ///< Of sums that blocks which share k read of each other.

  /// Bytes that are copied to shared memory: weights that stay there do not
  /// count.
  double getCopiedBytes(const GPUPlan &plan) const {
    return inputBytes + (plan.isResident ? 0 : weightBytes);
  }
};

/// Of a launch.
struct Traffic {
  double dramBytes; ///< X once, Y once, stored weights once.
  double l2Bytes;   ///< Into SMs and out of them; of a cluster's copies, once.
  double sharedBytes;    ///< That copies write to shared memory.
  double flops;          ///< As written: without padding.
  double paddedFlops;    ///< As computed.
  int64_t blockBytes;    ///< Of shared memory that a block takes.
  int64_t laneRegisters; ///< About.
};

/// Bytes that a lane loads, stores or copies at a time, of neighbours of `size`
/// bytes.
int64_t getAccessBytes(int64_t size);

/// What `plan`, which is legal, moves and computes for `batch` entries.
Traffic getTraffic(const Problem &problem, const GPUPlan &plan, int64_t batch);

/// Bytes of X that a block reads in one piece, for `batch` entries.
int64_t getRunBytes(const Problem &problem, const GPUPlan &plan, int64_t batch);

/// Bytes of weights that blocks read again and again while `active` blocks run.
double getActiveWeightBytes(const TileTraffic &tile, const Problem &problem,
                            const GPUPlan &plan, int64_t batchBlocks,
                            int64_t batch, double active);

/// Bytes of L2 traffic; see Traffic.
double getL2Bytes(const TileTraffic &tile, const Problem &problem,
                  const GPUPlan &plan, int64_t batchBlocks, int64_t batch);

} // namespace ks

#endif // KS_ANALYSIS_TRAFFIC_H
