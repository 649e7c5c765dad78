//===- Target.cpp - Descriptions of machines ------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/Target.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"

#include <cmath>
#include <thread>
#include <unistd.h>

using namespace ks;

llvm::ArrayRef<CPUTarget> ks::getCPUTargets() {
  // Caches, clock and bandwidth are those of a modest server core; they steer
  // block sizes, which are not sensitive, and predictions, which are relative.
  static const CPUTarget table[] = {
      // name, llvm, bits, regs, fma, loads, latency, GHz, L1, L2, B/s, threads
      {"x86-64-v2", "x86-64-v2", 128, 16, 1, 2, 8, 3.0, 32 << 10, 1 << 20, 20e9,
       4},
      {"x86-64-v3", "x86-64-v3", 256, 16, 2, 2, 4, 3.0, 32 << 10, 1 << 20, 20e9,
       4},
      {"x86-64-v4", "x86-64-v4", 512, 32, 1.5, 2, 4, 3.0, 32 << 10, 1 << 20,
       20e9, 4},
      {"aarch64", "generic", 128, 32, 2, 2, 4, 3.0, 64 << 10, 1 << 20, 20e9, 4},
  };
  return table;
}

/// The row the host's features allow.
static llvm::StringRef getHostRow() {
#if defined(__aarch64__)
  return "aarch64";
#else
  llvm::StringMap<bool> features = llvm::sys::getHostCPUFeatures();
  auto hasAll = [&](std::initializer_list<const char *> names) {
    return llvm::all_of(
        names, [&](const char *name) { return features.lookup(name); });
  };
  if (hasAll({"avx512f", "avx512bw", "avx512dq", "avx512vl"}))
    return "x86-64-v4";
  if (hasAll({"avx2", "fma", "f16c"}))
    return "x86-64-v3";
  return "x86-64-v2";
#endif
}

CPUTarget ks::getHostTarget() {
  CPUTarget target = *getCPUTarget(getHostRow());
  target.name = "host";
  target.llvmCpu = llvm::sys::getHostCPUName().str();
  target.threads = std::max(1u, std::thread::hardware_concurrency());
#ifdef _SC_LEVEL2_CACHE_SIZE
  if (long bytes = sysconf(_SC_LEVEL1_DCACHE_SIZE); bytes > 0)
    target.l1Bytes = bytes;
  if (long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE); bytes > 0)
    target.l2Bytes = bytes;
#endif
  return target;
}

/// The row called `name`, without anything behind it.
static std::optional<CPUTarget> getCPURow(llvm::StringRef name) {
  if (name == "host")
    return getHostTarget();
  for (const CPUTarget &target : getCPUTargets())
    if (target.name == name)
      return target;
  return std::nullopt;
}

std::optional<CPUTarget> ks::getCPUTarget(llvm::StringRef name) {
  llvm::StringRef row = name;
  bool hasLibrary = row.consume_back(":library=blas");
  std::optional<CPUTarget> target = getCPURow(row);
  if (target && hasLibrary) {
    target->hasLibrary = true;
    target->name = name.str();
  }
  return target;
}

std::string ks::getCPUTargetNames() {
  std::string names = "host";
  for (const CPUTarget &target : getCPUTargets())
    names += ", " + target.name;
  return names;
}

llvm::ArrayRef<GPUTarget> ks::getGPUTargets() {
  constexpr int64_t kKB = 1024, kMB = 1024 * kKB;
  // One common chip per architecture; mma rates are those of mma.sync.
  static const GPUTarget table[] = {
      // name, chip, capability, PTX, SMs, shared per block and SM, registers,
      // threads
      // and blocks per SM, L2, DRAM B/s, L2 B/s, GHz, FMA/clock: f16, f16
      // by wgmma, tf32, f32, f64
      {"sm_80", "sm_80", 80, "+ptx70", 108, 163 * kKB, 164 * kKB, 65536, 2048,
       32, 40 * kMB, 1.75e12, 4.5e12, 1.41, 900, 0, 450, 64, 32},
      {"sm_86", "sm_86", 86, "+ptx71", 84, 99 * kKB, 100 * kKB, 65536, 1536, 16,
       6 * kMB, 0.85e12, 2.5e12, 1.7, 450, 0, 110, 110, 2},
      {"sm_89", "sm_89", 89, "+ptx78", 128, 99 * kKB, 100 * kKB, 65536, 1536,
       24, 72 * kMB, 0.92e12, 4.5e12, 2.3, 450, 0, 220, 110, 2},
      {"sm_90", "sm_90a", 90, "+ptx80", 132, 227 * kKB, 228 * kKB, 65536, 2048,
       32, 50 * kMB, 3.0e12, 8.1e12, 1.7, 1350, 1900, 670, 115, 60},
      {"sm_100", "sm_100", 100, "+ptx86", 148, 227 * kKB, 228 * kKB, 65536,
       2048, 32, 126 * kMB, 7.0e12, 14e12, 1.8, 900, 0, 450, 115, 60},
      {"sm_120", "sm_120", 120, "+ptx87", 170, 99 * kKB, 100 * kKB, 65536, 1536,
       24, 96 * kMB, 1.6e12, 7.0e12, 2.4, 450, 0, 220, 110, 2},
  };
  return table;
}

static constexpr llvm::StringLiteral kMultiprocessors = "multiprocessors",
                                     kBandwidth = "dram_gbps",
                                     kLibrary = "library";

/// Reads one "key=value" into the target.
static bool override(GPUTarget &target, llvm::StringRef text) {
  auto [key, value] = text.split('=');
  if (key == kLibrary) {
    target.hasLibrary = value == "cublaslt";
    return target.hasLibrary || value == "none";
  }
  int64_t number = 0;
  if (value.getAsInteger(10, number) || number < 1 || number > 1000000)
    return false;
  auto count = static_cast<double>(number);
  if (key == kBandwidth) {
    target.dramBandwidth = count * 1e9;
    return true;
  }
  if (key != kMultiprocessors)
    return false;
  target.l2Bandwidth *= count / static_cast<double>(target.multiprocessors);
  target.multiprocessors = number;
  return true;
}

std::optional<GPUTarget> ks::getGPUTarget(llvm::StringRef name) {
  auto [row, rest] = name.split(':');
  for (const GPUTarget &known : getGPUTargets()) {
    if (known.name != row)
      continue;
    GPUTarget target = known;
    target.name = name.str();
    llvm::SmallVector<llvm::StringRef> overrides;
    if (row != name)
      rest.split(overrides, ':');
    if (!llvm::all_of(overrides, [&](llvm::StringRef text) {
          return override(target, text);
        }))
      return std::nullopt;
    return target;
  }
  return std::nullopt;
}

std::string ks::findGPUTarget(const GPUProperties &gpu) {
  const GPUTarget *best = nullptr;
  for (const GPUTarget &row : getGPUTargets())
    if (row.capability <= gpu.capability &&
        (!best || row.capability > best->capability))
      best = &row;
  if (!best)
    return "";
  std::string name = best->name;
  if (gpu.multiprocessors > 0 && gpu.multiprocessors != best->multiprocessors)
    name += (":" + kMultiprocessors + "=").str() +
            std::to_string(gpu.multiprocessors);
  // Kernels reach about nine tenths; what differs by less than a tenth is
  // noise.
  constexpr double kReached = 0.9, kNoise = 0.1;
  double bandwidth = kReached * gpu.peakBandwidth;
  if (bandwidth > 0 &&
      std::abs(bandwidth - best->dramBandwidth) > kNoise * best->dramBandwidth)
    name += (":" + kBandwidth + "=").str() +
            std::to_string(static_cast<int64_t>(bandwidth / 1e9));
  return name;
}

std::string ks::getGPUTargetNames() {
  std::string names;
  for (const GPUTarget &target : getGPUTargets())
    names += (names.empty() ? "" : ", ") + target.name;
  return names;
}
