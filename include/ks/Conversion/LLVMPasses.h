//===- LLVMPasses.h - Passes over LLVM IR -----------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_CONVERSION_LLVMPASSES_H
#define KS_CONVERSION_LLVMPASSES_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace llvm {
class Module;
class TargetMachine;
} // namespace llvm

namespace ks {

/// Runs a pipeline, written as for `opt -passes`, on a module for `machine`.
llvm::Error runLLVMPasses(llvm::Module &module, llvm::TargetMachine &machine,
                          llvm::StringRef pipeline);

} // namespace ks

#endif // KS_CONVERSION_LLVMPASSES_H
