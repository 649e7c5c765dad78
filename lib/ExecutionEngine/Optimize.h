//===- Optimize.h - LLVM passes for tiled code ------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_EXECUTIONENGINE_OPTIMIZE_H
#define KS_LIB_EXECUTIONENGINE_OPTIMIZE_H

#include "llvm/Support/Error.h"

namespace llvm {
class Module;
class TargetMachine;
} // namespace llvm

namespace ks {

/// Optimizes code that came down the ladder. Loops are tiled and vectorized
/// already, so that levels 1 and 2 only clean up, in a fourth of the time that
/// LLVM's own -O2 takes and with the same inner loops; 3 is LLVM's -O3, and 0
/// does nothing.
llvm::Error optimize(llvm::Module &module, llvm::TargetMachine &machine,
                     unsigned level);

} // namespace ks

#endif // KS_LIB_EXECUTIONENGINE_OPTIMIZE_H
