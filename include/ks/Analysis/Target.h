//===- Target.h - Descriptions of machines ----------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the planner knows about a machine: a small table, one row per
// architecture, that a real machine can be measured against or replace. No
// other file names an architecture.
//
//===----------------------------------------------------------------------===//

#ifndef KS_ANALYSIS_TARGET_H
#define KS_ANALYSIS_TARGET_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <optional>
#include <string>

namespace ks {

/// A CPU, as far as kernels for it depend on it.
struct CPUTarget {
  std::string name;        ///< What `--target` and pass options call it.
  std::string llvmCpu;     ///< LLVM's name of the processor.
  int64_t vectorBits;      ///< Width of a vector register.
  int64_t vectorRegisters; ///< Number of vector registers.
  double fmaPerCycle;      ///< Vector FMAs per cycle and core.
  double loadsPerCycle;    ///< Vector loads per cycle and core.
  int64_t fmaLatency;      ///< Cycles until an FMA's result can be used.
  double gigahertz;        ///< Clock, to turn cycles into time.
  int64_t l1Bytes;         ///< L1 data cache of a core.
  int64_t l2Bytes;         ///< L2 cache of a core.
  double memoryBandwidth;  ///< Bytes per second, all cores.
  int64_t threads;         ///< Threads that run in parallel.
  /// Whether programs may have dense products computed by the host's BLAS, if
  /// it can be opened when they run.
  bool hasLibrary = false;

  /// Elements of `bytes` bytes in a vector register.
  int64_t getLanes(int64_t bytes) const { return vectorBits / (8 * bytes); }
};

/// The table. Rows are generic: they name instruction sets, not products.
llvm::ArrayRef<CPUTarget> getCPUTargets();

/// The row called `name`, or "host" for the machine at hand; none if there is
/// no such row. Behind it may follow ":library=blas".
std::optional<CPUTarget> getCPUTarget(llvm::StringRef name);

/// The machine at hand: the widest row that its features allow, with the
/// caches and cores it reports.
CPUTarget getHostTarget();

/// "host, x86-64-v2, ...", for messages.
std::string getCPUTargetNames();

/// A GPU, as far as kernels for it depend on it. Rates are what kernels reach,
/// not what data sheets promise.
struct GPUTarget {
  std::string name;        ///< "sm_90".
  std::string chip;        ///< LLVM's name: "sm_90a" has more than others run.
  int64_t capability;      ///< 10 · major + minor.
  std::string ptxVersion;  ///< LLVM's feature for the PTX version it needs.
  int64_t multiprocessors; ///< Number of SMs.
  int64_t sharedPerBlock;  ///< Bytes of shared memory a block may take.
  int64_t sharedPerSM;     ///< Bytes of shared memory of an SM.
  int64_t registersPerSM;  ///< 32-bit registers of an SM.
  int64_t threadsPerSM;    ///< Threads resident on an SM.
  int64_t blocksPerSM;     ///< Blocks resident on an SM.
  int64_t l2Bytes;         ///< L2 cache.
  double dramBandwidth;    ///< Bytes per second.
  double l2Bandwidth;      ///< Bytes per second from L2 into all SMs.
  double gigahertz;        ///< Clock of SMs.
  double mma16PerClock;    ///< FMAs per clock and SM of mma on f16, bf16.
  double wgmma16PerClock;  ///< The same of wgmma; 0 where there is none.
  double mma8PerClock;     ///< FMAs per clock and SM of mma on tf32.
  double fma32PerClock;    ///< f32 FMAs per clock and SM.
  double fma64PerClock;    ///< f64 FMAs per clock and SM.
  /// Whether programs may have dense products computed by cublasLt, if it can
  /// be opened when they run.
  bool hasLibrary = true;

  /// Bytes per second that one SM takes from L2 at most, where others do not;
  /// of 94 per clock, as measured on an H100.
  double getL2BandwidthOfSM() const { return 94 * (gigahertz * 1e9); }

  /// The same of f32 as three bf16: six products for each.
  double getSplitPerClock() const { return mma16PerClock / 6; }

  /// Whether kernels can begin while earlier ones of their stream end.
  bool overlapsLaunches() const { return capability >= 90; }
};

/// The table of GPUs: one row per architecture.
llvm::ArrayRef<GPUTarget> getGPUTargets();

/// The row called `name`; none if there is no such row. Behind the name of a
/// row may follow what a GPU has otherwise, as in
///
///   sm_90:multiprocessors=114:dram_gbps=1900:library=none
///
/// The bandwidth of L2 goes with the number of multiprocessors. With
/// library=cublaslt, as if nothing is said, programs may use it; with none not.
std::optional<GPUTarget> getGPUTarget(llvm::StringRef name);

/// What a real GPU says of itself; 0 where it does not.
struct GPUProperties {
  int64_t capability = 0; ///< 10 · major + minor.
  int64_t multiprocessors = 0;
  double peakBandwidth = 0; ///< Of its memory, in theory; bytes per second.
};

/// The name of the target for a GPU: the latest row that it can run, and in
/// what it differs from that. "" if it is too old for all.
std::string findGPUTarget(const GPUProperties &gpu);

/// "sm_80, sm_86, ...", for messages.
std::string getGPUTargetNames();

} // namespace ks

#endif // KS_ANALYSIS_TARGET_H
