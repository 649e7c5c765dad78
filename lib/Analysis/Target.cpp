//===- Target.cpp - Descriptions of machines ------------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ks/Analysis/Target.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"

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

std::optional<CPUTarget> ks::getCPUTarget(llvm::StringRef name) {
  if (name == "host")
    return getHostTarget();
  for (const CPUTarget &target : getCPUTargets())
    if (target.name == name)
      return target;
  return std::nullopt;
}

std::string ks::getCPUTargetNames() {
  std::string names = "host";
  for (const CPUTarget &target : getCPUTargets())
    names += ", " + target.name;
  return names;
}
