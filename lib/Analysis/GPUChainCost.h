//===- GPUChainCost.h - What a chain's plan costs ---------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_ANALYSIS_GPUCHAINCOST_H
#define KS_LIB_ANALYSIS_GPUCHAINCOST_H

#include "ks/Analysis/GPUChain.h"
#include "ks/Analysis/SplitFloat.h"

namespace ks {

/// What blocks take, in cycles of an SM and bytes.
struct BlockWork {
  double units = 0;       ///< Cycles of tensor cores or FMA pipes.
  double shared = 0;      ///< Cycles of shared memory.
  double latency = 0;     ///< Cycles of waiting, of its slowest warp.
  double weightBytes = 0; ///< From L2.
};

/// What factor `number` takes of a block; `next` is where its results go.
BlockWork getChainWork(const Problem &problem, const GPUChainPlan &plan,
                       size_t number, const ChainBuffer &next,
                       const GPUTarget &target);

/// Where results of factor `number` go, if it is to shared memory.
ChainBuffer getNextBuffer(const Problem &problem, const GPUChainPlan &plan,
                          size_t number);

/// The instruction that is used for a factor.
WarpInstruction getChainInstruction(const Problem &problem, const KSPattern &p,
                                    const GPUTarget &target);

} // namespace ks

#endif // KS_LIB_ANALYSIS_GPUCHAINCOST_H
