//===- GPUChain.h - Plans for chains on GPUs --------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// How a chain of factors runs as one kernel on a GPU, in which intermediates
// never leave the chip; plain values, without IR.
//
// The kernel. A cluster of `cluster` blocks takes a tile of `entries` of the
// batch through all factors. Whole rows of it lie in their shared memory: the
// blocks share out the groups i of what the next factor reads, or its columns j
// where there are too few groups, and each computes what follows from its part.
// Results go to the block that needs them next, by stores to its shared memory,
// in the order in which that one reads them. So global memory sees rows from
// end to end, of input and result, whatever the patterns are; no factor's
// stride is one of DRAM.
//
// Between two factors all blocks of the cluster wait for each other. Two
// buffers take turns: what one factor reads and what it writes. Weights are
// packed in the order of fragments, and each is read by one warp of the
// cluster, straight to registers, some steps ahead; a cluster as a whole reads
// all of them once for a tile.
//
// Slices. An output of the last factor needs only some of its input, so that a
// chain falls into `slices`, which are chains of their own: along the groups i
// of the last factor, and of two chainable factors also along its columns j.
// With `slices` a cluster computes one of them, and its memory holds that
// slice's part of the intermediate only; nothing is computed twice. The
// first factor's weights are those of some of its rows n.
//
// Example. Of a Monarch matrix, (64, 64, 64, 1) and (1, 64, 64, 64), four
// slices have 16 columns j of the second factor each. They take rows n = 16 s
// to 16 s + 15 of each group of the first one: a slice is the chain (64, 16,
// 64, 1), (1, 64, 64, 16), whose intermediate has 1024 features, not 4096.
//
// All slices read the whole of their tile of the input. So it need not lie in
// shared memory as a whole either: with `stages`, input and weights come in
// pieces through a ring, which does not pause between factors. A stage has
// weights of some groups i and blocks of rows n, and some of k; of the first
// factor also the input that they are multiplied with. With `shares` several
// clusters compute the same slice, and each has some of the last factor's rows
// n; what is before is computed by all.
//
// Where k of the first factor are contiguous (d = 1) those of the intermediate
// can be, too, and both factors be multiplied by wgmma: GPUChainPlanes.h.
//
//===----------------------------------------------------------------------===//

#ifndef KS_ANALYSIS_GPUCHAIN_H
#define KS_ANALYSIS_GPUCHAIN_H

#include "ks/Analysis/GPUPlanner.h"

#include <vector>

namespace ks {

/// Where the activations that a factor reads lie in the shared memory of a
/// cluster. With (i, k, j) of its pattern, batch-first,
///
///   [i][entry][k · slab + j]        rows `pitch` apart,
///
/// and batch-last [i, j][k][entry]. Of all groups i, or of all columns j, each
/// block has an equal part, in order. Behind the last k come zeros, up to
/// `depth`.
///
/// Example. The second factor of a Monarch matrix, (1, 64, 64, 64), in clusters
/// of four: each block has 16 columns j, and element k · 16 + j of an entry is
/// feature k · 64 + 16 · rank + j.
struct ChainBuffer {
  int64_t a = 1, c = 1, d = 1; ///< Of the pattern that reads it.
  int64_t blocks = 1;          ///< That share it,
  bool isAlongJ = false;       ///< by columns j; else by groups i.
  int64_t depth = 1;           ///< k of a group, with zeros.
  int64_t slab = 1;            ///< From k to k + 1 (batch-first).
  int64_t rows = 1;            ///< Of a group: entries, or k (batch-last).
  int64_t pitch = 1;           ///< From row to row, in elements.

  /// Groups and columns that one block has.
  int64_t ownA() const { return isAlongJ ? a : a / blocks; }
  int64_t ownD() const { return isAlongJ ? d / blocks : d; }
  /// Pieces of `rows` rows.
  int64_t getGroups(bool batchFirst) const {
    return ownA() * (batchFirst ? 1 : ownD());
  }
  int64_t getElements(bool batchFirst) const {
    return getGroups(batchFirst) * rows * pitch;
  }

  /// Which block has a feature of an entry of the tile, and where.
  struct Place {
    int64_t block, element;
  };
  Place getPlace(int64_t feature, int64_t entry, bool batchFirst) const {
    int64_t i = feature / (c * d), k = feature / d % c, j = feature % d;
    int64_t block = isAlongJ ? j / ownD() : i / ownA();
    i %= ownA();
    j %= ownD();
    if (batchFirst)
      return {block, (i * rows + entry) * pitch + k * slab + j};
    return {block, ((i * ownD() + j) * rows + k) * pitch + entry};
  }
};

/// Elements of a lane's result, of a factor with pattern `p` and `vector`
/// columns, that are neighbours in the `buffer` they go to, and begin at a
/// multiple of their number; at most `limit`. The lane stores them at a time.
int64_t getStoreRun(const KSPattern &p, const FragmentLayout &layout,
                    int64_t vector, const ChainBuffer &buffer, bool batchFirst,
                    int64_t limit);

/// How warps compute one factor; see #ks.gpu_chain_factor.
struct GPUChainFactor {
  FragmentLayout fragments;
  int64_t entries = 8; ///< Of the batch, of a warp at a time.
  int64_t vector = 1;  ///< Elements of a lane's piece along j, or the batch.
  int64_t n = 16;      ///< Rows n, of a warp at a time.
  int64_t groups = 1;  ///< i of a stage of the ring,
  int64_t blocksN = 1; ///< blocks of n,
  int64_t k = 0;       ///< and k.
  bool tiedA = false, tiedD = false; ///< Packed weights are shared.

  int64_t getTileEntries(bool batchFirst) const {
    return fragments.tileEntries * (batchFirst ? 1 : vector);
  }
  int64_t getTilesN() const { return n / fragments.tileN(); }
  int64_t getTilesM(bool batchFirst) const {
    return entries / getTileEntries(batchFirst);
  }
  /// Columns j of a warp.
  int64_t getColumns(bool batchFirst) const { return batchFirst ? vector : 1; }
  bool operator==(const GPUChainFactor &o) const {
    return fragments.instruction == o.fragments.instruction &&
           fragments.runK == o.fragments.runK &&
           fragments.runN == o.fragments.runN && entries == o.entries &&
           vector == o.vector && n == o.n && groups == o.groups &&
           blocksN == o.blocksN && k == o.k && tiedA == o.tiedA &&
           tiedD == o.tiedD;
  }
};

/// What one of the slices of a chain has of a factor. Slice s has groups from
/// s / `columnSlices` · pattern.a on, and of its rows n those of part `s' /
/// slicesOfPart`, with s' = s mod `columnSlices`: n with n / run mod parts =
/// part, in order; see #ks.gpu_packing. Its columns j begin at s' mod
/// `slicesOfPart` times pattern.d.
struct ChainSlice {
  KSPattern pattern;          ///< Of the slice's chain.
  int64_t columnSlices = 1;   ///< Along j of the last factor.
  int64_t slicesOfPart = 1;   ///< Neighbours that have the same rows n.
  int64_t parts = 1, run = 1; ///< Of n.
};

/// How a chain runs in one kernel; see #ks.gpu_chain_plan.
struct GPUChainPlan {
  // --- Decisions ---
  int64_t entries = 8; ///< Of the batch, of a cluster.
  int64_t slices = 1;  ///< That clusters share out.
  int64_t shares = 1;  ///< Of the last factor's rows n, of a cluster each.
  int64_t cluster = 1; ///< Blocks.
  int64_t warps = 4;   ///< Of a block.
  int64_t stages = 0;  ///< Of the ring; 0 if there is none.
  /// At most, of a slice, each with several tiles of the batch; 0 for as many
  /// as there are tiles.
  int64_t batchBlocks = 0;
  /// Results go to memory through shared memory, as whole rows.
  bool isStaged = false;
  std::vector<GPUChainFactor> factors;

  bool operator==(const GPUChainPlan &o) const {
    return entries == o.entries && slices == o.slices && shares == o.shares &&
           cluster == o.cluster && warps == o.warps && stages == o.stages &&
           batchBlocks == o.batchBlocks && isStaged == o.isStaged &&
           factors == o.factors;
  }

  // --- Derived ---
  /// Of warps that multiply, and for planes of those that copy.
  int64_t getThreads() const {
    return 32 * (warps + (isPlanes() ? FragmentLayout::wgmmaWarps : 0));
  }
  bool isStreamed() const { return stages > 0; }
  /// Whether both factors read contiguous k; see GPUChainPlanes.h.
  bool isPlanes() const {
    return !factors.empty() && factors.front().fragments.isWgmmaRS();
  }
  /// What a slice has of factor `number`.
  ChainSlice getSlice(const Problem &problem, size_t number) const;
  /// The pattern of that.
  KSPattern getPattern(const Problem &problem, size_t number) const {
    return getSlice(problem, number).pattern;
  }
  /// k of a factor, with zeros up to whole steps, and of a packed chunk.
  int64_t getDepth(const Problem &problem, size_t number) const;
  int64_t getChunk(const Problem &problem, size_t number) const;
  /// What factor `number` reads, of the ring one stage; behind the last one,
  /// where results are staged.
  ChainBuffer getBuffer(const Problem &problem, size_t number) const;
  /// Pieces of a factor's work in a block, which its warps share out: groups,
  /// blocks of j, of n and of entries. With a ring those of a stage.
  std::array<int64_t, 4> getTasks(const Problem &problem, size_t number) const;
  int64_t countTasks(const Problem &problem, size_t number) const;
  /// Of the rows n of factor `number` that a cluster has.
  int64_t countBlocksN(const Problem &problem, size_t number) const;
  /// Stages of a factor: sets of groups, of blocks of n, and chunks of k.
  std::array<int64_t, 3> getStageCounts(const Problem &problem,
                                        size_t number) const;
  /// Blocks of packed weights in a stage, along i, j and n.
  std::array<int64_t, 3> getStageBlocks(const Problem &problem,
                                        size_t number) const;
  /// Elements of such a block: `n` rows and a chunk of k, of as many columns as
  /// a warp takes; and its bytes.
  int64_t getBlockElements(const Problem &problem, size_t number) const;
  int64_t getBlockBytes(const Problem &problem, size_t number) const;
  /// Bytes of a factor's weights in a stage, of the input in one of the first
  /// factor, and of a stage.
  int64_t getStageWeightBytes(const Problem &problem, size_t number) const;
  int64_t getInputBytes(const Problem &problem) const;
  int64_t getStageBytes(const Problem &problem) const;
  /// Steps whose weights a warp holds at a time: those it multiplies and those
  /// under way are as many.
  int64_t getStepsAhead(const Problem &problem, size_t number) const;
  /// Where the two buffers begin, and where they end, in bytes; the ring is
  /// before them.
  std::array<int64_t, 3> getBufferBytes(const Problem &problem) const;
  int64_t getSharedBytes(const Problem &problem) const;
  /// Registers of a lane, as a guess: of a factor, and of all of them.
  int64_t getRegisters(const Problem &problem, size_t number) const;
  int64_t getRegisters(const Problem &problem) const;
};

/// What keeps `plan` from being realized for `problem` (on `target`); empty if
/// nothing does. Says what was got and what was expected.
std::string checkGPUChainPlan(const Problem &problem, const GPUChainPlan &plan);
std::string checkGPUChainPlan(const Problem &problem, const GPUChainPlan &plan,
                              const GPUTarget &target);

struct RankedGPUChainPlan {
  GPUChainPlan plan;
  GPUCost cost;
};

/// What `plan`, which is legal, costs for `batch` entries.
GPUCost predictGPUChain(const Problem &problem, const GPUChainPlan &plan,
                        const GPUTarget &target, int64_t batch);

/// Not more than any plan costs, in seconds.
double boundGPUChain(const Problem &problem, const GPUTarget &target,
                     int64_t batch);

/// Up to `count` legal plans for `problem`, fastest first; none if the chain
/// does not fit one kernel.
std::vector<RankedGPUChainPlan> planChainForGPU(const Problem &problem,
                                                const GPUTarget &target,
                                                unsigned count = 1);

} // namespace ks

#endif // KS_ANALYSIS_GPUCHAIN_H
