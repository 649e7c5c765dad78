//===- FragmentLayoutTest.cpp - Who holds what in a warp ------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/FragmentLayout.h"

#include "gtest/gtest.h"

#include <set>
#include <tuple>
#include <utility>

using namespace ks;

namespace {

/// Calls `f` for each instruction and each pair of runs.
template <typename F> void forEachLayout(F f) {
  for (WarpInstruction instruction :
       {WarpInstruction::Mma16, WarpInstruction::Mma8, WarpInstruction::Fma,
        WarpInstruction::WgmmaRS16, WarpInstruction::WgmmaRS8,
        WarpInstruction::Mma16Split})
    for (int64_t runK : {1, 2, 4})
      for (int64_t runN : {1, 2, 4, 8}) {
        SCOPED_TRACE(testing::Message()
                     << static_cast<int>(instruction) << " run_k " << runK
                     << " run_n " << runN);
        f(FragmentLayout{instruction, runK, runN});
      }
}

TEST(FragmentLayoutTest, SlotsCoverAStepOfKOnce) {
  forEachLayout([](FragmentLayout layout) {
    std::set<int64_t> seen;
    for (int64_t lane = 0; lane < layout.lanesK(); ++lane)
      for (int64_t slot = 0; slot < FragmentLayout::slotsK; ++slot)
        EXPECT_TRUE(seen.insert(layout.k(slot, lane)).second);
    EXPECT_EQ(static_cast<int64_t>(seen.size()), layout.stepK());
    EXPECT_EQ(*seen.begin(), 0);
    EXPECT_EQ(*seen.rbegin(), layout.stepK() - 1);
  });
}

TEST(FragmentLayoutTest, SlotsCoverABlockOfNOnce) {
  forEachLayout([](FragmentLayout layout) {
    int64_t tiles = 8, slots = tiles * layout.slotsN();
    std::set<int64_t> seen;
    for (int64_t lane = 0; lane < layout.lanesN(); ++lane)
      for (int64_t slot = 0; slot < slots; ++slot)
        EXPECT_TRUE(seen.insert(layout.n(slot, lane)).second);
    EXPECT_EQ(static_cast<int64_t>(seen.size()), tiles * layout.tileN());
    EXPECT_EQ(*seen.rbegin(), tiles * layout.tileN() - 1);
  });
}

TEST(FragmentLayoutTest, RunsAreNeighbours) {
  forEachLayout([](FragmentLayout layout) {
    for (int64_t slot = 0; slot < FragmentLayout::slotsK; ++slot)
      if (slot % layout.runK != 0)
        EXPECT_EQ(layout.k(slot, 1), layout.k(slot - 1, 1) + 1);
    for (int64_t slot = 0; slot < 8 * layout.slotsN(); ++slot)
      if (slot % layout.runN != 0)
        EXPECT_EQ(layout.n(slot, 1), layout.n(slot - 1, 1) + 1);
  });
}

TEST(FragmentLayoutTest, LanesFormAGrid) {
  forEachLayout([](FragmentLayout layout) {
    std::set<std::pair<int64_t, int64_t>> weights, activations;
    for (int64_t lane = 0; lane < FragmentLayout::lanes; ++lane) {
      weights.insert({layout.laneN(lane), layout.laneK(lane)});
      activations.insert({layout.laneM(lane), layout.laneK(lane)});
    }
    // wgmma reads its weights from shared memory, not from lanes.
    if (!layout.isWgmma())
      EXPECT_EQ(static_cast<int64_t>(weights.size()), layout.weightLanes());
    EXPECT_EQ(static_cast<int64_t>(activations.size()),
              FragmentLayout::tileEntries * layout.lanesK());
  });
}

TEST(FragmentLayoutTest, PackedPositionsAreWeightsOnce) {
  forEachLayout([](FragmentLayout layout) {
    if (layout.isWgmma())
      return; // in core matrices, see below
    std::set<std::tuple<int64_t, int64_t, int64_t>> seen;
    for (int64_t at = 0; at < layout.weightsPerLane(); ++at) {
      FragmentLayout::WeightSlot slot = layout.weightSlot(at);
      EXPECT_LT(slot.half, layout.slotsN());
      EXPECT_LT(slot.k, FragmentLayout::slotsK);
      EXPECT_LT(slot.part, layout.numParts());
      EXPECT_TRUE(seen.insert({slot.part, slot.half, slot.k}).second);
    }
  });
}

TEST(FragmentLayoutTest, ResultsCoverATileOnce) {
  forEachLayout([](FragmentLayout layout) {
    std::set<std::pair<int64_t, int64_t>> seen;
    for (int64_t lane = 0; lane < FragmentLayout::lanes; ++lane)
      for (int64_t half = 0; half < layout.slotsN(); ++half)
        for (int64_t e = 0; e < layout.slotsM(); ++e)
          EXPECT_TRUE(
              seen.insert({layout.n(half, layout.laneN(lane)) % layout.tileN(),
                           layout.resultEntry(e, lane)})
                  .second ||
              layout.runN > layout.slotsN());
    if (layout.runN <= layout.slotsN())
      EXPECT_EQ(static_cast<int64_t>(seen.size()),
                layout.tileN() * FragmentLayout::tileEntries);
  });
}

// PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type": for
// a_i of the first operand, row = groupID for i in {0, 1, 4, 5}, else groupID +
// 8; column = threadID * 2 + (i & 1), plus 8 for i >= 4. In the natural order
// of n, and with k counted in the instruction's own order, a packed lane is
// that.
TEST(FragmentLayoutTest, Mma16IsThatOfThePTXISA) {
  FragmentLayout layout{WarpInstruction::Mma16, 1, 1};
  for (int64_t lane = 0; lane < 32; ++lane)
    for (int64_t i = 0; i < 8; ++i) {
      FragmentLayout::WeightSlot slot = layout.weightSlot(i);
      bool isUpper = i < 2 || (i >= 4 && i < 6);
      EXPECT_EQ(layout.n(slot.half, layout.laneN(lane)),
                lane / 4 + (isUpper ? 0 : 8));
      // Slots s = 0..3 of a lane are its columns 2t, 2t+1, 2t+8, 2t+9.
      EXPECT_EQ(slot.k, (i & 1) + (i >= 4 ? 2 : 0));
      EXPECT_EQ(layout.laneK(lane), lane % 4);
    }
}

// "Matrix Fragments for mma.m16n8k8", .tf32: row = groupID for a0 and a2, else
// groupID + 8; column = threadID for a0 and a1, else threadID + 4. Two of them.
TEST(FragmentLayoutTest, Mma8IsThatOfThePTXISA) {
  FragmentLayout layout{WarpInstruction::Mma8, 1, 1};
  for (int64_t i = 0; i < 8; ++i) {
    FragmentLayout::WeightSlot slot = layout.weightSlot(i);
    EXPECT_EQ(slot.half, i % 2);
    EXPECT_EQ(slot.k, i / 4 * 2 + i % 4 / 2);
  }
}

// c0, c1: row groupID, columns 2 * threadID and the next; c2, c3: 8 rows below.
TEST(FragmentLayoutTest, ResultsAreThoseOfThePTXISA) {
  FragmentLayout layout{WarpInstruction::Mma16, 1, 1};
  for (int64_t lane = 0; lane < 32; ++lane)
    for (int64_t i = 0; i < 4; ++i) {
      EXPECT_EQ(layout.n(i / 2, layout.laneN(lane)), lane / 4 + i / 2 * 8);
      EXPECT_EQ(layout.resultEntry(i % 2, lane), lane % 4 * 2 + i % 2);
    }
}

// PTX ISA, "Asynchronous Warpgroup Level Matrix ...", K-major without swizzle:
// core matrices of 8 rows of 8 k, 128 bytes each; here all rows' of k 0 to 7
// come first. Row r is of warp r / 16, whose results are those of an mma tile.
TEST(FragmentLayoutTest, WgmmaWeightsAreCoreMatrices) {
  for (int64_t rows : {64, 128, 192, 256})
    for (int64_t runN : {1, 2, 4, 8}) {
      if (rows / 32 % runN != 0)
        continue;
      FragmentLayout layout{WarpInstruction::Wgmma16, 1, runN};
      std::set<std::pair<int64_t, int64_t>> seen;
      for (int64_t at = 0; at < rows * 16; ++at) {
        FragmentLayout::WeightPlace place =
            layout.weightPlace(at / 256, at / 8 % 32, at % 8, rows);
        EXPECT_TRUE(seen.insert({place.n, place.k}).second);
        EXPECT_LT(place.n, rows);
        int64_t instruction = at / 1024, row = at / 8 % 64;
        int64_t warp = row / 16, half = row / 8 % 2, g = row % 8;
        EXPECT_EQ(place.k, at / 512 % 2 * 8 + at % 8);
        EXPECT_EQ(place.n,
                  warp * (rows / 4) + layout.n(2 * instruction + half, g));
      }
    }
}

/// Weights in core matrices of B are what lanes hold of A: `getPosition` says
/// where in its tile the weight of slot `slot` of lane t, in row `row`, lies.
/// Rows of core matrices of B are columns of D, of which a lane holds 2t, 2t +
/// 1 of each 8.
template <typename F>
void expectRSOperandsAgree(WarpInstruction instruction, F getPosition) {
  for (int64_t runK : {1, 2, 4})
    for (int64_t runN : {1, 2, 4, 8}) {
      FragmentLayout layout{instruction, runK, runN};
      std::set<std::pair<int64_t, int64_t>> seen;
      for (int64_t tile = 0; tile < 4; ++tile)
        for (int64_t row = 0; row < 8; ++row)
          for (int64_t t = 0; t < 4; ++t)
            for (int64_t slot = 0; slot < 4; ++slot) {
              int64_t at = getPosition(row, t, slot);
              FragmentLayout::WeightPlace place =
                  layout.weightPlace(tile, at / layout.weightsPerLane(),
                                     at % layout.weightsPerLane(), /*rows=*/32);
              EXPECT_EQ(place.k, layout.k(slot, t));
              EXPECT_EQ(place.n, layout.n(2 * tile + row % 2, row / 2));
              EXPECT_TRUE(seen.insert({place.n, place.k}).second);
            }
      EXPECT_EQ(seen.size(), 32u * 16u);
    }
}

// "Register Fragments for wgmma.mma_async.m64nNk16": a lane holds of A, in a
// row, columns 2t, 2t + 1, 2t + 8 and 2t + 9; core matrices have 8 rows of 8 k.
TEST(FragmentLayoutTest, WgmmaRSOperandsAgree) {
  expectRSOperandsAgree(WarpInstruction::WgmmaRS16,
                        [](int64_t row, int64_t t, int64_t slot) {
                          int64_t column = slot / 2 * 8 + 2 * t + slot % 2;
                          return column / 8 * 64 + row * 8 + column % 8;
                        });
}

// The same for .m64nNk8, .tf32: columns t and t + 4 of each of two
// instructions; core matrices have 8 rows of 4 k.
TEST(FragmentLayoutTest, WgmmaRS8OperandsAgree) {
  expectRSOperandsAgree(WarpInstruction::WgmmaRS8,
                        [](int64_t row, int64_t t, int64_t slot) {
                          int64_t column = slot % 2 * 4 + t;
                          int64_t matrix = slot / 2 * 2 + column / 4;
                          return matrix * 32 + row * 4 + column % 4;
                        });
}

TEST(FragmentLayoutTest, SplitWeightsAreThoseOfMma16ThreeTimes) {
  FragmentLayout layout{WarpInstruction::Mma16, 2, 2};
  FragmentLayout split{WarpInstruction::Mma16Split, 2, 2};
  for (int64_t lane = 0; lane < 32; ++lane)
    for (int64_t at = 0; at < 24; ++at) {
      FragmentLayout::WeightPlace one = layout.weightPlace(3, lane, at % 8, 64);
      FragmentLayout::WeightPlace part = split.weightPlace(3, lane, at, 64);
      EXPECT_EQ(part.n, one.n);
      EXPECT_EQ(part.k, one.k);
      EXPECT_EQ(part.part, at / 8);
    }
}

TEST(FragmentLayoutTest, WideVectorsAreHalfATileApart) {
  FragmentLayout layout{WarpInstruction::Mma16, 1, 1};
  std::set<int64_t> seen;
  for (int64_t e = 0; e < FragmentLayout::tileEntries; ++e) {
    EXPECT_TRUE(seen.insert(layout.vectorOf(e, /*isWide=*/true)).second);
    EXPECT_EQ(layout.vectorOf(e, /*isWide=*/false), e);
  }
  // Results 2t of lanes t are neighbours.
  for (int64_t t = 0; t < 4; ++t)
    EXPECT_EQ(layout.vectorOf(2 * t, true), t);
}

} // namespace
