//===- MachinePeaks.h - What this CPU can do at most ------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Measured peaks of the host CPU. A kernel that moves B bytes and computes F
// flops takes at least max(B / bandwidth, F / flops) seconds: its floor.
//
// Both functions use all threads of ksParallelFor, so call them outside of
// parallel loops and on an otherwise idle machine. Neither keeps its result.
//
//===----------------------------------------------------------------------===//

#ifndef KS_SUPPORT_MACHINEPEAKS_H
#define KS_SUPPORT_MACHINEPEAKS_H

namespace ks {

/// The bandwidth of main memory when copying, in bytes per second; bytes read
/// and bytes written both count. The best of several copies of 256 MiB, with
/// and without bypassing the caches on the way out. Takes 512 MiB, and about
/// half a second where the system is quick to provide them; returns 0 if there
/// is not that much memory.
double measureCopyBandwidth();

/// The peak rate of fused multiply-adds (two flops each) on registers, in flops
/// per second, with the widest vectors the CPU has, on f64 or else f32
/// elements. The best of several runs, in about 0.2 seconds. Needs a build with
/// optimization: otherwise the registers are kept in memory.
double measureFmaPeak(bool f64);

} // namespace ks

#endif // KS_SUPPORT_MACHINEPEAKS_H
