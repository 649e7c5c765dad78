//===- TrafficTest.cpp - What a plan moves and computes -------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/Traffic.h"

#include "gtest/gtest.h"

using namespace ks;

namespace {

Problem makeProblem(KSPattern pattern) {
  Problem problem;
  problem.realBytes = 2;
  problem.factors.push_back({pattern});
  return problem;
}

/// (2, 64, 64, 4) by blocks of 32 n, all j: two slabs for each group.
GPUPlan makePlan() {
  GPUPlan plan;
  plan.fragments = {WarpInstruction::Mma16, 2, 2};
  plan.entries = 64;
  plan.batchBlocks = 5;
  plan.n = 32;
  plan.k = 16;
  plan.j = plan.vector = 4;
  plan.warpsM = 4;
  plan.stages = 3;
  return plan;
}

TEST(TrafficTest, Tile) {
  Problem problem = makeProblem({2, 64, 64, 4});
  TileTraffic tile(problem, makePlan());
  EXPECT_EQ(tile.chunks, 4);
  EXPECT_EQ(tile.steps, 4 * 4);
  EXPECT_EQ(tile.products, 64 * 32 * 4 * 64);
  EXPECT_EQ(tile.inputBytes, 64 * 64 * 4 * 2);
  EXPECT_EQ(tile.weightBytes, 32 * 64 * 4 * 2);
  EXPECT_EQ(tile.outputBytes, 64 * 32 * 4 * 2);
  // Two k with four j are 16 bytes; a lane has two such pieces of two tiles.
  EXPECT_EQ(tile.pieceBytes, 16);
  EXPECT_EQ(tile.accessBytes, 16);
  EXPECT_EQ(tile.activationLoads, 2 * 2);
  // Two tiles of n, four j, 16 bytes each.
  EXPECT_EQ(tile.weightLoads, 2 * 4);
  EXPECT_FALSE(tile.isStaged);
}

TEST(TrafficTest, ResultsOfAnotherType) {
  Problem problem = makeProblem({2, 64, 64, 4});
  TileTraffic tile(problem, makePlan());
  problem.storedBytes = 4;
  TileTraffic wide(problem, makePlan());
  EXPECT_EQ(wide.outputBytes, 2 * tile.outputBytes);
  EXPECT_EQ(wide.inputBytes, tile.inputBytes);
  // Two n with four j are 16 bytes of f16, and two accesses of f32.
  EXPECT_EQ(wide.stores, 2 * tile.stores);
  EXPECT_GT(wide.storeLines, tile.storeLines);
}

TEST(TrafficTest, Launch) {
  Problem problem = makeProblem({2, 64, 64, 4});
  GPUPlan plan = makePlan();
  int64_t batch = 1000, tiles = 16, slabs = 4;
  Traffic traffic = getTraffic(problem, plan, batch);
  EXPECT_EQ(traffic.dramBytes, getMinimumBytes(problem, batch));
  EXPECT_EQ(traffic.flops, 2.0 * 1000 * 2 * 64 * 64 * 4);
  // The last tile counts as a whole.
  EXPECT_EQ(traffic.paddedFlops, 2.0 * 1024 * 2 * 64 * 64 * 4);
  TileTraffic tile(problem, plan);
  double perTile = tile.inputBytes + tile.outputBytes;
  EXPECT_EQ(traffic.l2Bytes, tiles * slabs * (perTile + tile.weightBytes));
  EXPECT_EQ(traffic.sharedBytes,
            tiles * slabs * (tile.inputBytes + tile.weightBytes));
  EXPECT_GT(traffic.laneRegisters, plan.getAccumulators(true));
  EXPECT_GE(traffic.blockBytes, 3 * (64 + 32) * 16 * 4 * 2);

  // Resident weights are read once for each block, not for each tile.
  plan.isResident = true;
  traffic = getTraffic(problem, plan, batch);
  EXPECT_EQ(traffic.l2Bytes,
            tiles * slabs * perTile + 5 * slabs * tile.weightBytes);
  EXPECT_EQ(traffic.sharedBytes,
            tiles * slabs * tile.inputBytes + 5 * slabs * tile.weightBytes);
}

TEST(TrafficTest, ClustersShareInputs) {
  Problem problem = makeProblem({2, 64, 64, 4});
  GPUPlan plan = makePlan();
  double alone = getTraffic(problem, plan, 1024).l2Bytes;
  plan.cluster = 2;
  Traffic traffic = getTraffic(problem, plan, 1024);
  TileTraffic tile(problem, plan);
  EXPECT_EQ(alone - traffic.l2Bytes, 16 * 4 * tile.inputBytes / 2);
}

TEST(TrafficTest, SplitsShareK) {
  Problem problem = makeProblem({2, 64, 64, 4});
  GPUPlan plan = makePlan();
  Traffic alone = getTraffic(problem, plan, 1024);
  plan.splits = 2;
  Traffic traffic = getTraffic(problem, plan, 1024);
  // Each reads its part, and stores its share.
  EXPECT_EQ(traffic.l2Bytes, alone.l2Bytes);
  EXPECT_EQ(traffic.paddedFlops, alone.paddedFlops);
  TileTraffic tile(problem, plan);
  EXPECT_EQ(tile.chunks, 2);
  EXPECT_EQ(tile.partialBytes, 64 * 32 * 4 * 4);
  EXPECT_EQ(traffic.blockBytes - alone.blockBytes, tile.partialBytes);
}

TEST(TrafficTest, ActiveWeights) {
  Problem problem = makeProblem({2, 64, 64, 4});
  GPUPlan plan = makePlan();
  TileTraffic tile(problem, plan);
  auto getActive = [&](double blocks) {
    return getActiveWeightBytes(tile, problem, plan, 5, 1000, blocks) /
           tile.weightBytes;
  };
  EXPECT_EQ(getActive(3), 3);
  EXPECT_EQ(getActive(100), 4);
  plan.sweeps = 2; // of two slabs, with five blocks each
  EXPECT_EQ(getActive(1), 1);
  EXPECT_EQ(getActive(10), 2);
  EXPECT_EQ(getActive(20), 4);
  plan.tiedA = true; // both groups have the same
  EXPECT_EQ(getActive(20), 2);
  plan.isResident = true;
  EXPECT_EQ(getActive(20), 0);
}

TEST(TrafficTest, Runs) {
  Problem problem = makeProblem({1, 64, 64, 32});
  GPUPlan plan = makePlan();
  plan.j = plan.vector = 8;
  EXPECT_EQ(getRunBytes(problem, plan, 1000), 16);
  plan.j = 32; // all: those of a chunk
  EXPECT_EQ(getRunBytes(problem, plan, 1000), 16 * 32 * 2);
  problem.batchFirst = false;
  EXPECT_EQ(getRunBytes(problem, plan, 1000), 64 * 2);
  EXPECT_EQ(getRunBytes(problem, plan, 3), 3 * 2);
}

} // namespace
