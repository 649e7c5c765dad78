//===- FragmentLayout.h - Who holds what in a warp --------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The one place that knows which lane holds which number. The packer of
// weights, the loads of fragments and the stores of results all ask it.
//
// A warp computes  Y[n, m] += Σ_k K[n, k] X[k, m]  for one column j of the
// pattern; weights are the first operand, activations the second, whatever the
// layout of activations. Its 32 lanes form a grid:
//
//   instruction   lanes along n  along m       along k       rows n  entries  k
//   mma           g = lane / 4   8 (*)         t = lane % 4    16       8    16
//   wgmma_rs      t = lane % 4   g = lane / 4  t = lane % 4     8       8    16
//   fma           t = lane % 4   g = lane / 4  1                4       8     4
//
// (*) In an mma, lane = 4g + t holds rows g and g + 8 of the weights, entry g
// of the activations, and of the result rows g, g + 8 and entries 2t, 2t + 1
// (PTX ISA, "Matrix Fragments for mma.m16n8k16"). m16n8k8 on tf32 is issued
// twice. Of f32 as three bf16 (SplitFloat.h) m16n8k16 is issued for six pairs
// of parts.
//
// wgmma is issued by four warps. Of wgmma16, the 64 rows n are a tile of 16 of
// each of them, and what a warp holds of the result are mma tiles. Operands are
// in shared memory (see weightPlace), in the natural order of k.
//
// Of wgmma16_rs and wgmma8_rs activations are the first operand, and come from
// registers: the 64 rows are two tiles of 8 entries of each warp, which lanes
// hold as those of an mma. Weights come from shared memory, n in columns: lane
// 4g + t holds entry g and columns 2t, 2t + 1 of the result (PTX ISA, "Register
// Fragments for wgmma.mma_async.m64nNk16"). m64nNk8 on tf32 is issued twice.
//
// The order of k inside a step is free, as long as weights and activations
// agree, and so is the order of n. So memory keeps its natural order, lanes
// read it in the widest pieces there are, and the packed weights make up for
// it:
//
//  * k. A lane holds 4 values of k per step, its slots s. Slot s of lane t is
//
//      k = (s mod U) + U·t + U·L·(s div U)          L lanes along k, run U
//
//    so that slots s, s+1, … of a run of U are neighbours in memory: with j
//    contiguous behind them, U·(columns j) elements are one piece.
//
//      U = 1, mma:  t=0: 0 4 8 12   t=1: 1 5 9 13   …   (16-byte pieces of j)
//      U = 4, mma:  t=0: 0 1 2 3    t=1: 4 5 6 7    …
//
//  * n. A lane holds 2 rows of a tile (1 of an fma tile), its slots
//    z = 2·tile + half (z = tile). Slot z of the lane at l is
//
//      n = (z div R)·L·R + R·l + (z mod R)          L lanes along n, run R
//
//    so that R rows are neighbours in the lane, and R·(columns j) results one
//    piece. R = 1 is the natural order of the mma.
//
//  * m, batch-first: entry e of a tile is batch row e. Batch-last, a lane's
//    vector of Q elements runs along the batch: entry e at vector element q is
//    Q·e + q, of 8·Q entries. Where such a vector is as wide as an access, 16
//    bytes, it is Q·(e/2 + 4·(e mod 2)) + q, so that the results 2t of four
//    lanes fill whole sectors, and so do the results 2t + 1.
//
//===----------------------------------------------------------------------===//

#ifndef KS_ANALYSIS_FRAGMENTLAYOUT_H
#define KS_ANALYSIS_FRAGMENTLAYOUT_H

#include <cstdint>

namespace ks {

/// How a warp multiplies.
enum class WarpInstruction : uint32_t {
  Mma16,     ///< mma.sync.m16n8k16: f16, bf16.
  Mma8,      ///< mma.sync.m16n8k8, twice: tf32.
  Fma,       ///< FMAs of one lane each: f32, f64 and their complex types.
  Wgmma16,   ///< wgmma.mma_async.m64nNk16, of four warps: f16, bf16.
  WgmmaRS16, ///< The same, with activations from registers.
  WgmmaRS8,  ///< wgmma.mma_async.m64nNk8, twice, the same way: tf32.
  Mma16Split ///< Mma16 for pairs of parts of split operands: f32.
};

/// As in #ks.fragments.
inline const char *getName(WarpInstruction instruction) {
  switch (instruction) {
  case WarpInstruction::Mma16:
    return "mma16";
  case WarpInstruction::Mma8:
    return "mma8";
  case WarpInstruction::Fma:
    return "fma";
  case WarpInstruction::Wgmma16:
    return "wgmma16";
  case WarpInstruction::WgmmaRS16:
    return "wgmma16_rs";
  case WarpInstruction::WgmmaRS8:
    return "wgmma8_rs";
  case WarpInstruction::Mma16Split:
    return "mma16_split";
  }
  return "";
}

struct FragmentLayout {
  WarpInstruction instruction = WarpInstruction::Fma;
  int64_t runK = 1; ///< U: slots of k that are neighbours; 1, 2 or 4.
  int64_t runN = 1; ///< R: slots of n that are neighbours.

  static constexpr int64_t lanes = 32;
  static constexpr int64_t slotsK = 4;      ///< Values of k that a lane holds.
  static constexpr int64_t tileEntries = 8; ///< Entries m of a tile.

  /// Whether four warps multiply together; both operands from shared memory.
  bool isWgmma() const {
    return instruction == WarpInstruction::Wgmma16 || isWgmmaRS();
  }
  bool isWgmmaSS() const { return instruction == WarpInstruction::Wgmma16; }
  bool isWgmmaRS() const {
    return instruction == WarpInstruction::WgmmaRS16 ||
           instruction == WarpInstruction::WgmmaRS8;
  }
  /// Whether operands are f32, rounded to tf32.
  bool isTF32() const {
    return instruction == WarpInstruction::Mma8 ||
           instruction == WarpInstruction::WgmmaRS8;
  }
  bool isSplit() const { return instruction == WarpInstruction::Mma16Split; }
  /// Parts of a weight, as it is packed, the bytes of each, and sums for each
  /// result (SplitFloat.h).
  int64_t numParts() const { return isSplit() ? 3 : 1; }
  int64_t partBytes(int64_t elementBytes) const {
    return isSplit() ? 2 : elementBytes;
  }
  int64_t numSums() const { return isSplit() ? 2 : 1; }
  bool isMma() const { return instruction != WarpInstruction::Fma; }
  /// Whether weights are the first operand, so that a lane's n are those of g.
  bool isWeightsFirst() const { return isMma() && !isWgmmaRS(); }
  int64_t lanesN() const { return isWeightsFirst() ? 8 : 4; }
  int64_t lanesK() const { return isMma() ? 4 : 1; }
  /// Rows n of a tile that a lane holds.
  int64_t slotsN() const { return isMma() ? 2 : 1; }
  /// Entries m of a tile that a lane holds in the result.
  int64_t slotsM() const { return isWeightsFirst() ? 2 : 1; }
  int64_t tileN() const { return lanesN() * slotsN(); }
  int64_t stepK() const { return lanesK() * slotsK; }
  /// Weights of a tile and step that a lane holds, all parts, and how many
  /// lanes hold different ones; entries m share them.
  int64_t weightsPerLane() const { return slotsN() * slotsK * numParts(); }
  int64_t weightLanes() const { return lanesN() * lanesK(); }

  /// Position of `lane` along n (weights), k, and m (activations).
  int64_t laneN(int64_t lane) const {
    return isWeightsFirst() ? lane / 4 : lane % 4;
  }
  int64_t laneK(int64_t lane) const { return isMma() ? lane % 4 : 0; }
  int64_t laneM(int64_t lane) const { return lane / 4; }
  /// k within the step, of a slot of the lane at `laneK`.
  int64_t k(int64_t slot, int64_t laneK) const {
    return slot % runK + runK * laneK + runK * lanesK() * (slot / runK);
  }
  /// n within the block, of a slot of the lane at `laneN`.
  int64_t n(int64_t slot, int64_t laneN) const {
    return slot / runN * lanesN() * runN + runN * laneN + slot % runN;
  }
  /// Batch-last, the place among 8 vectors of that of entry `e`.
  int64_t vectorOf(int64_t e, bool isWide) const {
    return isWide && isWeightsFirst() ? e / 2 + 4 * (e % 2) : e;
  }
  /// Entry of the tile, in the result, of slot `e` of `lane`.
  int64_t resultEntry(int64_t e, int64_t lane) const {
    return isWeightsFirst() ? 2 * (lane % 4) + e : lane / 4;
  }

  /// A packed lane's weights lie in the order of the instruction's registers:
  /// which half (slot of n in the tile) and which slot of k is at `position`.
  ///   Mma16: pairs of k, halves, k of the pair     (a0 a1 a2 a3, two each)
  ///   Mma8:  k, halves                             (a0 a1 a2 a3, twice)
  ///   Fma:   k
  /// Of split weights the first parts come first, then the others.
  struct WeightSlot {
    int64_t half, k, part = 0;
  };
  WeightSlot weightSlot(int64_t position) const {
    switch (instruction) {
    case WarpInstruction::Mma16:
    case WarpInstruction::Mma16Split:
      return {position / 2 % 2, position / 4 * 2 % slotsK + position % 2,
              position / (slotsN() * slotsK)};
    case WarpInstruction::Mma8:
      return {position % 2, position / 2};
    case WarpInstruction::Fma:
      return {0, position};
    case WarpInstruction::Wgmma16:
    case WarpInstruction::WgmmaRS16:
    case WarpInstruction::WgmmaRS8:
      break; // see weightPlace
    }
    return {0, 0};
  }

  /// Of a packed weight: n within the block, k within the step, and which part
  /// of it.
  struct WeightPlace {
    int64_t n, k, part = 0;
  };
  /// What is at `position` of `lane` of `tile`, in a block of `rows` rows n.
  ///
  /// For wgmma16, 64 rows by 16 k are 16 core matrices of 8 rows by 8 k, each
  /// 128 bytes (PTX ISA, "Matrix Descriptor", no swizzling, K-major): first
  /// those of k 0 to 7, then the others; rows in the order warp, half, g. The
  /// rows of a warp are neighbours in n, those of all its tiles.
  ///
  /// For wgmma16_rs, a tile of 8 rows by 16 k is two of them. Row 2t + e of a
  /// core matrix is slot e of lane t; k 2t and 2t + 1 of the first one are
  /// slots 0 and 1 of k of lane t, and those of the second one slots 2 and 3.
  /// For wgmma8_rs it is four, of 8 rows by 4 k: k t of number s is slot s.
  WeightPlace weightPlace(int64_t tile, int64_t lane, int64_t position,
                          int64_t rows) const {
    if (!isWgmma()) {
      WeightSlot slot = weightSlot(position);
      return {n(tile * slotsN() + slot.half, laneN(lane)),
              k(slot.k, laneK(lane)), slot.part};
    }
    if (instruction == WarpInstruction::WgmmaRS8) {
      int64_t at = lane * weightsPerLane() + position, row = at / 4 % 8;
      return {n(tile * slotsN() + row % 2, row / 2), k(at / 32, at % 4)};
    }
    if (isWgmmaRS()) {
      int64_t half = lane / 8, row = lane % 8;
      return {n(tile * slotsN() + row % 2, row / 2),
              k(half * 2 + position % 2, position / 2)};
    }
    int64_t warp = tile % 2 * 2 + lane / 16, half = lane / 8 % 2;
    return {warp * (rows / wgmmaWarps) + n(tile / 4 * 2 + half, lane % 8),
            tile / 2 % 2 * 8 + position};
  }
  static constexpr int64_t wgmmaWarps = 4;
};

} // namespace ks

#endif // KS_ANALYSIS_FRAGMENTLAYOUT_H
