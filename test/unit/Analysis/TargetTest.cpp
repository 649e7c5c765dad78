//===- TargetTest.cpp - Tests of the target table ---------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/Target.h"

#include "gtest/gtest.h"

#include <set>

using namespace ks;

namespace {

void expectSane(const CPUTarget &target) {
  SCOPED_TRACE(target.name);
  EXPECT_FALSE(target.name.empty());
  EXPECT_FALSE(target.llvmCpu.empty());
  EXPECT_GE(target.vectorBits, 128);
  EXPECT_EQ(target.vectorBits & (target.vectorBits - 1), 0);
  EXPECT_LE(target.getLanes(4), 64); // what a plan can state
  EXPECT_GE(target.vectorRegisters, 8);
  EXPECT_GT(target.fmaPerCycle, 0);
  EXPECT_GT(target.loadsPerCycle, 0);
  EXPECT_GE(target.fmaLatency, 1);
  EXPECT_GT(target.gigahertz, 0.5);
  EXPECT_LT(target.gigahertz, 10);
  EXPECT_GE(target.l1Bytes, 8 << 10);
  EXPECT_GT(target.l2Bytes, target.l1Bytes);
  EXPECT_GT(target.memoryBandwidth, 1e9);
  EXPECT_GE(target.threads, 1);
}

TEST(TargetTest, RowsAreSane) {
  std::set<std::string> names;
  for (const CPUTarget &target : getCPUTargets()) {
    expectSane(target);
    EXPECT_TRUE(names.insert(target.name).second) << target.name;
    // "host" is not a row: it stands for the machine at hand.
    EXPECT_NE(target.name, "host");
  }
  EXPECT_FALSE(names.empty());
}

TEST(TargetTest, RowsAreFoundByName) {
  for (const CPUTarget &target : getCPUTargets()) {
    std::optional<CPUTarget> found = getCPUTarget(target.name);
    ASSERT_TRUE(found.has_value()) << target.name;
    EXPECT_EQ(found->name, target.name);
    EXPECT_EQ(found->vectorBits, target.vectorBits);
  }
}

TEST(TargetTest, UnknownNames) {
  for (const char *name : {"", "x86", "X86-64-V3", "x86-64-v3 ", "Host", "gpu"})
    EXPECT_FALSE(getCPUTarget(name).has_value()) << name;
}

TEST(TargetTest, CPUsMayHaveALibrary) {
  std::optional<CPUTarget> row = getCPUTarget("x86-64-v3");
  std::optional<CPUTarget> other = getCPUTarget("x86-64-v3:library=blas");
  ASSERT_TRUE(row && other);
  EXPECT_FALSE(row->hasLibrary);
  EXPECT_TRUE(other->hasLibrary);
  EXPECT_EQ(other->name, "x86-64-v3:library=blas");
  EXPECT_EQ(other->l2Bytes, row->l2Bytes);
  ASSERT_TRUE(getCPUTarget("host:library=blas").has_value());
  EXPECT_TRUE(getCPUTarget("host:library=blas")->hasLibrary);
  for (const char *name : {":library=blas", "host:library=cublaslt",
                           "host:", "host:library=blas:library=blas"})
    EXPECT_FALSE(getCPUTarget(name).has_value()) << name;
}

TEST(TargetTest, Lanes) {
  std::optional<CPUTarget> v3 = getCPUTarget("x86-64-v3");
  std::optional<CPUTarget> v4 = getCPUTarget("x86-64-v4");
  ASSERT_TRUE(v3 && v4);
  EXPECT_EQ(v3->getLanes(4), 8);
  EXPECT_EQ(v3->getLanes(8), 4);
  EXPECT_EQ(v4->getLanes(4), 16);
  EXPECT_EQ(v4->getLanes(8), 8);
}

TEST(TargetTest, Host) {
  std::optional<CPUTarget> host = getCPUTarget("host");
  ASSERT_TRUE(host.has_value());
  expectSane(*host);
  EXPECT_EQ(host->name, "host");
  EXPECT_EQ(host->threads, getHostTarget().threads);
}

TEST(TargetTest, GPUsDifferFromRows) {
  std::optional<GPUTarget> row = getGPUTarget("sm_90");
  std::optional<GPUTarget> other =
      getGPUTarget("sm_90:multiprocessors=66:dram_gbps=2000");
  ASSERT_TRUE(row && other);
  EXPECT_EQ(other->chip, row->chip);
  EXPECT_EQ(other->multiprocessors, 66);
  EXPECT_EQ(other->dramBandwidth, 2e12);
  EXPECT_EQ(other->l2Bandwidth, row->l2Bandwidth * 66 / row->multiprocessors);
  EXPECT_TRUE(row->hasLibrary &&
              getGPUTarget("sm_80:library=cublaslt")->hasLibrary);
  EXPECT_FALSE(getGPUTarget("sm_80:library=none")->hasLibrary);
  for (const char *name :
       {"sm_90:", "sm_90:multiprocessors",
        "sm_90:multiprocessors=", "sm_90:multiprocessors=0", "sm_90:sms=2",
        "sm_90:library=blas", "sm_90:library", "sm_90:multiprocessors=x",
        "sm_91", "sm_90:dram_gbps=-1", ":dram_gbps=1"})
    EXPECT_FALSE(getGPUTarget(name).has_value()) << name;
}

TEST(TargetTest, RealGPUs) {
  auto find = [](int64_t capability, int64_t multiprocessors, double peak) {
    return findGPUTarget({capability, multiprocessors, peak});
  };
  EXPECT_EQ(find(75, 40, 3e11), "");
  EXPECT_EQ(find(80, 0, 0), "sm_80");
  EXPECT_EQ(find(87, 84, 0.9e12), "sm_86");
  EXPECT_EQ(find(90, 132, 3.35e12), "sm_90"); // H100 SXM
  EXPECT_EQ(find(90, 132, 4.8e12), "sm_90:dram_gbps=4320");
  EXPECT_EQ(find(90, 114, 2.0e12), "sm_90:multiprocessors=114:dram_gbps=1800");
  EXPECT_EQ(find(103, 148, 8e12), "sm_100");
  for (int64_t capability : {80, 86, 89, 90, 100, 120})
    EXPECT_TRUE(getGPUTarget(find(capability, 33, 1e12)).has_value());
}

TEST(TargetTest, NamesForMessages) {
  std::string names = getCPUTargetNames();
  EXPECT_EQ(names.rfind("host, ", 0), 0u) << names;
  for (const CPUTarget &target : getCPUTargets())
    EXPECT_NE(names.find(", " + target.name), std::string::npos)
        << target.name << " is not in: " << names;
}

} // namespace
