//===- GPUPlanner.h - Plans for GPUs ----------------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Chooses how one factor runs on a GPU: a pure function from a problem and a
// target to ranked plans, with the time each is predicted to take and what
// limits it. It knows nothing of IR.
//
// The kernel. For each group i and column j a factor is a product of its own,
//
//   Y_ij [n, m] = Σ_k K_ij [n, k] X_ij [k, m],
//
// but neighbouring j are neighbours in memory (batch-first), so a block takes a
// *slab*: `n` rows n, `j` columns j of one group, and walks over the batch in
// tiles of `entries`, sharing it with at most `batchBlocks` blocks. For a tile
// it walks along k in chunks of `k`; chunks of X travel to shared memory
// through a ring of `stages` (cp.async), which does not pause between tiles.
// Packed weights travel with them, or all of the slab's stay in shared memory
// (`isResident`). X keeps its natural order there, with rows padded so that
// lanes' loads do not meet in one bank. Warps divide the tile; a lane's piece
// of X is a vector of `vector` elements that are neighbours in memory: along j
// (batch-first) or the batch (batch-last). See FragmentLayout.h for who holds
// what.
//
// On sm_90 four warps can multiply together (wgmma), reading both operands from
// shared memory, where k or the entries of an operand must be contiguous. That
// is so batch-last, and batch-first if d = 1. Where d is small a factor is
// *folded*: taken for the pattern (a, b·d, c·d, 1), with zeros in between. Else
// activations go through registers (wgmma16_rs), like those of mma.sync: once
// for all n of the warps, while weights are read by the tensor cores.
//
// Between two kernels features may lie in another order (FeatureOrder in
// Pattern.h): then a slab's columns are *planes* [entries][k] of shared memory,
// from where the tensor cores take activations as they take weights.
//
// Blocks with neighbouring n read the same X. On sm_90 they can form a
// *cluster*, in which each block copies a part of it to all of them.
//
// Where there are few slabs, and k is long, a cluster of blocks can share a
// slab along k (`splits`): each sums up its part of the chunks, puts the sums
// into its shared memory, and adds up those of all for its share of the rows n,
// always in the same order.
//
// Blocks are ordered with the slabs fastest, so that those that share rows of
// X, and halves of a sector of Y, run at the same time and meet in L2. Where
// the weights of all slabs would not stay there, slabs are divided into
// `sweeps`: the batch is gone through with the first part of them, then with
// the next.
//
// What a plan costs: GPUCost.h.
//
//===----------------------------------------------------------------------===//

#ifndef KS_ANALYSIS_GPUPLANNER_H
#define KS_ANALYSIS_GPUPLANNER_H

#include "ks/Analysis/FragmentLayout.h"
#include "ks/Analysis/Problem.h"
#include "ks/Analysis/Target.h"

#include <array>

namespace ks {

/// Of stages that bulk copies fill: swizzling looks at addresses.
constexpr int64_t kBulkAlignment = 1024;

/// The longest rows that can be swizzled.
constexpr int64_t kSwizzledBytes = 128;

/// Rows of operands that wgmma reads from shared memory: the widest swizzle.
constexpr int64_t kWgmmaRowBytes = kSwizzledBytes;

/// Registers of lanes that multiply, and of those that copy, in blocks of three
/// times four warps.
constexpr int64_t kWgmmaRegisters = 232, kWgmmaCopyRegisters = 40;

/// The pattern that a kernel computes: of what is folded, columns are rows; of
/// planes (`FeatureOrder`) that a factor with d = 1 writes, so many groups are
/// columns.
inline KSPattern toKernelPattern(const KSPattern &p, bool isFolded,
                                 int64_t planes) {
  if (isFolded)
    return {p.a, p.b * p.d, p.c * p.d, 1};
  return planes != 0 && p.d == 1 ? KSPattern{p.a / planes, p.b, p.c, planes}
                                 : p;
}

/// How one factor runs; see #ks.gpu_plan.
struct GPUPlan {
  // --- Decisions ---
  FragmentLayout fragments;
  int64_t entries = 8;     ///< Of the batch, per block and time.
  int64_t batchBlocks = 1; ///< At most, that share the batch of a slab.
  int64_t n = 16;          ///< Rows n per block.
  int64_t k = 16;          ///< Per stage.
  int64_t j = 1;           ///< Columns j per block (the slab).
  int64_t vector = 1; ///< Elements of a lane's piece along j, or the batch.
  int64_t warpsM = 1, warpsN = 1, warpsJ = 1;
  int64_t stages = 2;      ///< Of the ring; 1 without overlap.
  int64_t cluster = 1;     ///< Blocks of neighbouring n share copies.
  int64_t splits = 1;      ///< Blocks of a cluster share k.
  int64_t sweeps = 1;      ///< Over the batch, with parts of the slabs.
  bool isBulk = false;     ///< Copies by the copy engine.
  bool isResident = false; ///< All weights of a slab stay in a block.
  bool tiedA = false, tiedD = false; ///< Packed weights are shared.
  bool isFolded = false;             ///< Columns j are rows of n and k.
  int64_t planes = 0; ///< Columns with all k of each together, or 0.

  // --- Derived ---
  int64_t getWarps() const { return warpsM * warpsN * warpsJ; }
  bool isWgmma() const { return fragments.isWgmma(); }
  bool isWgmmaSS() const { return fragments.isWgmmaSS(); }
  bool isWgmmaRS() const { return fragments.isWgmmaRS(); }
  /// Warps that multiply, and in wgmma kernels those that copy: one, or four
  /// where they hand over registers, which only four together can.
  int64_t getThreads() const { return 32 * (getWarps() + getCopyWarps()); }
  int64_t getCopyWarps() const {
    if (!isWgmma())
      return 0;
    return handsOverRegisters() ? FragmentLayout::wgmmaWarps : 1;
  }
  bool handsOverRegisters() const {
    return isWgmma() && getWarps() > FragmentLayout::wgmmaWarps;
  }
  /// The pattern that the kernel computes.
  KSPattern getKernelPattern(const KSPattern &p) const {
    return toKernelPattern(p, isFolded, planes);
  }
  /// Entries of the batch that a tile of a warp covers.
  int64_t getTileEntries(bool batchFirst) const {
    return fragments.tileEntries * (batchFirst ? 1 : vector);
  }
  /// Tiles of a warp along n and along the batch.
  int64_t getTilesN() const { return n / (warpsN * fragments.tileN()); }
  /// Those along n of which it stores the results.
  int64_t getStoredTilesN() const { return getTilesN() / splits; }
  int64_t getTilesM(bool batchFirst) const {
    return entries / (warpsM * getTileEntries(batchFirst));
  }
  /// Accumulators of a lane, in elements.
  int64_t getAccumulators(bool batchFirst) const {
    return vector * getTilesN() * getTilesM(batchFirst) * fragments.slotsN() *
           fragments.slotsM();
  }
  /// Elements of a row of X in shared memory: k·j of an entry (batch-first) or
  /// the entries of one k (batch-last); with padding (getRowPitch).
  int64_t getRowElements(bool batchFirst) const {
    return batchFirst ? k * j : entries;
  }
  int64_t getNumRows(bool batchFirst) const { return batchFirst ? entries : k; }
  /// Distance of rows of X in shared memory, in elements of `elementBytes`: a
  /// multiple of 16 bytes for which lanes' loads meet in the fewest banks.
  int64_t getRowPitch(const KSPattern &p, bool batchFirst,
                      int64_t elementBytes) const;
  /// Whether rows of X lie in shared memory as they do in memory: from a
  /// multiple of 16 bytes on, shifted by what the row begins behind it. So
  /// cp.async takes 16 bytes at a time of rows that begin anywhere; lanes load
  /// single elements then, which shared memory has the time for.
  bool shiftsRows(const KSPattern &p, bool batchFirst,
                  int64_t elementBytes) const;
  /// Whether the last of the warps along j begins earlier, so that it does not
  /// end beyond d, and computes some columns a second time: then all j are in
  /// one slab although no number of equal parts makes them up.
  bool hasOverlappingWarps() const { return j < vector * warpsJ; }
  /// Bulk copies arrive in atoms, [entries][lanes along k][a lane's piece], as
  /// many as a chunk of k has of them. Lanes' loads from one never meet in a
  /// bank: eight entries are one piece of memory, or swizzled by
  /// getSwizzleBytes (PTX ISA, "Swizzling modes") where pieces are too far
  /// apart.
  ///
  /// For wgmma16, batch-first, atoms are [entries][64 k]. Batch-last they are
  /// [k][getAtomEntries], for wgmma8_rs too.
  ///
  /// Of planes they are [j][entries][k], which the tensor cores read as such.
  int64_t getAtomDepth() const {
    if (planes != 0)
      return std::min(k, kWgmmaRowBytes / 2);
    return isWgmmaSS() ? kWgmmaRowBytes / 2
                       : fragments.lanesK() * fragments.runK;
  }
  int64_t getAtomEntries(int64_t elementBytes) const {
    return kWgmmaRowBytes / elementBytes;
  }
  int64_t getNumAtoms() const { return k / getAtomDepth(); }
  int64_t getAtomWidth() const { return getAtomDepth() * j; }
  /// Whether k and j are one dimension for the copy engine: all j, in pieces
  /// of several k or in rows that can be swizzled. Otherwise boxes have a row
  /// of j for each k.
  bool isFlatCopy(const KSPattern &p, int64_t elementBytes) const {
    int64_t row = j * elementBytes, atom = getAtomWidth() * elementBytes;
    return j == p.d && (fragments.runK != 1 || isWgmmaSS() ||
                        atom <= kSwizzledBytes || !canSwizzle(row));
  }
  /// Whether the engine swizzles rows of `bytes`.
  static bool canSwizzle(int64_t bytes) {
    return bytes == 32 || bytes == 64 || bytes == kSwizzledBytes;
  }
  int64_t getSwizzleBytes(const KSPattern &p, bool batchFirst,
                          int64_t elementBytes) const;
  /// Results that lanes hold in short pieces pass through shared memory, so
  /// that whole lines are stored: of 16 entries at a time these many rows n,
  /// and the columns j of all warps that differ in them only; 0 if they do not.
  int64_t getStagedN(const KSPattern &p, bool batchFirst,
                     int64_t resultBytes) const;
  /// [warps along the batch and n][2, in turns][16 entries][n·j, padded]
  std::array<int64_t, 4> getStagedShape(const KSPattern &p, bool batchFirst,
                                        int64_t resultBytes) const;
  /// Whether a tile's results pass through shared memory as whole rows, [n][d]
  /// of an entry, shifted as rows of X are, since lanes hold pieces of them
  /// that could be stored by few bytes only; and the distance of such rows, in
  /// elements.
  bool stagesRows(const KSPattern &p, bool batchFirst,
                  int64_t resultBytes) const;
  int64_t getStagedRowPitch(const KSPattern &p, int64_t resultBytes) const;
  /// Whether lanes give each other results, so that each has neighbours along
  /// the batch: of 16 bits, pairs of which a warp would store by half sectors.
  bool exchangesEntries(bool batchFirst, int64_t resultBytes) const {
    return isWgmmaSS() && !batchFirst && resultBytes == 2;
  }
  /// Numbers in the packed weights of a stage, and their bytes.
  int64_t getStageWeights() const {
    return (tiedD ? 1 : j) * n * k * fragments.numParts();
  }
  int64_t getStageWeightBytes(int64_t elementBytes) const {
    return getStageWeights() * fragments.partBytes(elementBytes);
  }
  /// Stages of weights that a block holds: all chunks, or those of the ring.
  int64_t getWeightStages(const KSPattern &p) const {
    return isResident ? getBlockChunks(p) : stages;
  }
  /// Where the blocks that share k put their sums, in bytes: [warp][vector of
  /// the fragment][lane][real].
  int64_t getPartialBytes(bool batchFirst, int64_t elementBytes) const {
    return splits == 1 ? 0
                       : getWarps() * FragmentLayout::lanes *
                             getAccumulators(batchFirst) *
                             std::max<int64_t>(4, elementBytes);
  }
  /// Bytes of shared memory of a block: of the ring of X, with the weights,
  /// with what results pass through, and in all.
  int64_t getInputBytes(const KSPattern &p, bool batchFirst,
                        int64_t elementBytes) const;
  int64_t getOperandBytes(const KSPattern &p, bool batchFirst,
                          int64_t elementBytes) const;
  int64_t getStagedBytes(const KSPattern &p, bool batchFirst,
                         int64_t elementBytes, int64_t resultBytes) const;
  int64_t getSharedBytes(const KSPattern &p, bool batchFirst,
                         int64_t elementBytes, int64_t resultBytes) const;

  /// Registers of a lane, as a guess, and how many it can have.
  int64_t getRegisters(const Problem &problem) const;
  int64_t getAvailableRegisters() const;

  /// Blocks of a grid along n, along j, and (with groups) in all per block of
  /// the batch; chunks along k.
  int64_t getNumBlocksN(const KSPattern &p) const { return (p.b + n - 1) / n; }
  int64_t getNumBlocksJ(const KSPattern &p) const { return (p.d + j - 1) / j; }
  int64_t getNumSlabs(const KSPattern &p) const {
    return p.a * getNumBlocksN(p) * getNumBlocksJ(p);
  }
  int64_t getSweepSlabs(const KSPattern &p) const {
    return getNumSlabs(p) / sweeps;
  }
  int64_t getNumChunks(const KSPattern &p) const { return (p.c + k - 1) / k; }
  /// Of one block; and blocks that are launched together.
  int64_t getBlockChunks(const KSPattern &p) const {
    return getNumChunks(p) / splits;
  }
  int64_t getClusterBlocks() const { return cluster * splits; }
  /// Tiles of the batch, and blocks that share them.
  int64_t getNumTiles(int64_t batch) const {
    return (batch + entries - 1) / entries;
  }
  int64_t getNumBatchBlocks(int64_t batch) const {
    return std::min(batchBlocks, getNumTiles(batch));
  }
};

/// What a plan is predicted to cost; times in seconds.
struct GPUCost {
  /// If nothing else counted.
  double dram = 0, l2 = 0, shared = 0, engine = 0, units = 0;
  double launch = 0;
  double seconds = 0; ///< In all.
  double dramBytes = 0, l2Bytes = 0;
  int64_t blocksPerSM = 0; ///< That fit at a time.
  const char *limit = "";  ///< "DRAM", "L2", "shared memory", "copy engine",
                           ///< "multiplications" or "launch".
};

struct RankedGPUPlan {
  GPUPlan plan;
  GPUCost cost;
};

/// What keeps `plan` from being realized for the one factor of `problem` on
/// `target`; empty if nothing does. Says what was got and what was expected.
std::string checkGPUPlan(const Problem &problem, const GPUPlan &plan,
                         const GPUTarget &target);

/// Whether checkGPUPlan has nothing to say.
bool isLegalGPUPlan(const Problem &problem, const GPUPlan &plan,
                    const GPUTarget &target);

/// The same as checkGPUPlan, but for the limits of a target.
std::string checkGPUPlan(const Problem &problem, const GPUPlan &plan);

/// The batch that is assumed when it is not known.
constexpr int64_t kAssumedGPUBatch = 4096;

/// What `plan`, which is legal, costs for `batch` entries.
GPUCost predictGPU(const Problem &problem, const GPUPlan &plan,
                   const GPUTarget &target, int64_t batch);

/// Up to `count` legal plans for the one factor of `problem`, fastest first.
/// Never empty for a valid problem whose features are in their natural order.
llvm::SmallVector<RankedGPUPlan>
planForGPU(const Problem &problem, const GPUTarget &target, unsigned count = 1);

/// Whether both read the same packed weights.
bool sharesPacking(const GPUPlan &x, const GPUPlan &y);

/// How much faster a plan has to be for a second copy of the weights to pay.
constexpr double kSecondPacking = 1.3;

/// How to run `problem` beside `main`, a plan for another batch: by `main`
/// itself if it is hardly slower than the best plan, else by one that shares
/// its packed weights if that costs little, else by the best.
RankedGPUPlan planForGPUBeside(const Problem &problem, const GPUTarget &target,
                               const GPUPlan &main);

} // namespace ks

#endif // KS_ANALYSIS_GPUPLANNER_H
