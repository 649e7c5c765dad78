//===- BuildArtifact.h - From a module to an artefact -----------*- C++ -*-===//
//
// Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compiles a function for GPUs and writes down what the runtime needs to launch
// it (ks/Runtime/Artifact.h).
//
//===----------------------------------------------------------------------===//

#ifndef KS_EXECUTIONENGINE_BUILDARTIFACT_H
#define KS_EXECUTIONENGINE_BUILDARTIFACT_H

#include "ks/Pipelines/Pipelines.h"
#include "ks/Runtime/Artifact.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"

namespace ks {

/// Where compile time went, in seconds, summed over targets.
struct ArtifactTimes {
  double passes = 0; ///< MLIR passes, to the nvvm dialect.
  double llvm = 0;   ///< LLVM, to PTX.
  double ptxas = 0;
};

/// What `ptxas` reports of a kernel.
struct KernelResources {
  std::string target, kernel;
  int64_t registers = 0, spillBytes = 0, sharedBytes = 0;
};

struct ArtifactOptions {
  std::string entry;                ///< Empty: the only public function.
  std::vector<std::string> targets; ///< Rows of the GPU target table.
  /// Also for compute_80, which every later GPU can compile. Plans that were
  /// pinned for the targets, and do not fit it, are chosen anew.
  bool isPortable = false;
  bool assemble = false; ///< With `ptxas`, if it is there.
  /// Whether a function for any batch has variants for ranges of batches, where
  /// the planner wants them; otherwise one for all.
  bool isSpecialized = true;
};

struct BuiltArtifact {
  Artifact artifact;
  ArtifactTimes times;
  std::vector<KernelResources> resources; ///< Empty without `ptxas`.
};

/// Compiles a copy of `original`. Errors carry all diagnostics.
llvm::Expected<BuiltArtifact> buildArtifact(mlir::ModuleOp original,
                                            const ArtifactOptions &options);

/// A copy of `original`, taken to rung `to` for a row of the GPU target table.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>>
lowerToGPURung(mlir::ModuleOp original, llvm::StringRef target, Rung to);

} // namespace ks

#endif // KS_EXECUTIONENGINE_BUILDARTIFACT_H
