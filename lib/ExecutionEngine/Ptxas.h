//===- Ptxas.h - Assembling PTX ---------------------------------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KS_LIB_EXECUTIONENGINE_PTXAS_H
#define KS_LIB_EXECUTIONENGINE_PTXAS_H

#include "ks/ExecutionEngine/BuildArtifact.h"

namespace ks {

struct Assembled {
  std::string cubin; ///< Empty if there is no `ptxas`.
  std::vector<KernelResources> kernels;
};

/// Assembles `ptx` for `target` (sm_80, ...) with the `ptxas` on PATH or of
/// CUDA_HOME, if there is one. Fails where it refuses the code.
llvm::Expected<Assembled> runPtxas(llvm::StringRef ptx, llvm::StringRef target);

} // namespace ks

#endif // KS_LIB_EXECUTIONENGINE_PTXAS_H
