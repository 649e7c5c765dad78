//===- Optimize.cpp - LLVM passes for tiled code --------------------------===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Optimize.h"

#include "ks/Conversion/LLVMPasses.h"

static constexpr const char *kCleanUp =
    "function(sroa,early-cse<memssa>,instcombine<no-verify-fixpoint>,"
    "simplifycfg,loop-mssa(licm),early-cse<memssa>,"
    "instcombine<no-verify-fixpoint>)";

llvm::Error ks::optimize(llvm::Module &module, llvm::TargetMachine &machine,
                         unsigned level) {
  if (level == 0)
    return llvm::Error::success();
  return runLLVMPasses(module, machine, level >= 3 ? "default<O3>" : kCleanUp);
}
